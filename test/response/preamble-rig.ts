import { once } from 'node:events'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { Request, Response } from 'express'
import { Exchange } from '../../lib/exchange/exchange.js'
import { answersInJson } from '../../lib/formats/index.js'
import { PreambleReader } from '../../lib/response/preamble.js'
import type { PreambleBounds, PreambleFailure } from '../../lib/response/preamble-callbacks.js'
import { compileSecrets } from '../../lib/util/secrets.js'
import { settled } from '../support/event-loop.js'
import { FakeResponse } from '../support/fake-response.js'
import { ManualTimers } from '../support/manual-timers.js'
import { sendRequest } from '../support/sent-request.js'

const BOUNDS: PreambleBounds = { events: 64, bytes: 256 * 1024, ms: 2000 }
export const SSE = { 'content-type': 'text/event-stream' }
export const JSON_TYPE = { 'content-type': 'application/json' }

/** A response of Node's client whose provider sends by hand, as Node's parser would bring it. */
export class ScriptedResponse extends IncomingMessage {
  constructor(given: Record<string, string> = SSE, statusCode = 200) {
    super(new Socket())
    const headers = 'content-length' in given ? given : { 'transfer-encoding': 'chunked', ...given }
    this.statusCode = statusCode
    this.statusMessage = 'OK'
    this.httpVersion = '1.1'
    this.httpVersionMajor = this.httpVersionMinor = 1
    this.headers = headers
    for (const [name, value] of Object.entries(headers)) this.rawHeaders.push(name, value)
  }

  send(chunk: Buffer | string): this {
    this.push(Buffer.from(chunk as Buffer))
    return this
  }

  finish(): void {
    this.complete = true
    this.push(null)
  }

  break(): void {
    this.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
  }
}

export interface Given {
  path?: string
  method?: string
  asksForStream?: boolean
  headers?: Record<string, string>
  status?: number
  bounds?: Partial<PreambleBounds>
  secrets?: string[]
  /** In the place of a scripted one. */
  response?: IncomingMessage
}

/** Reads the beginning of an answer that arrives by hand, with time that is moved by hand. */
export function reading(given: Given = {}) {
  const { path = '/v1/chat/completions', method = 'POST', asksForStream = true, headers, status } = given
  const res = new FakeResponse()
  const req = { method, url: path, complete: true, socket: res.socket }
  const exchange = new Exchange(req as unknown as Request, res as unknown as Response)
  exchange.isAnsweredInJson = answersInJson(method, path, exchange.format)
  exchange.describe(undefined, asksForStream)
  sendRequest(exchange, { secrets: compileSecrets(given.secrets ?? []) })
  const untouched = stateOf(exchange)
  const response = new ScriptedResponse(headers, status)
  const timers = new ManualTimers()
  const log: string[] = []
  let ready: IncomingMessage | undefined
  let failure: PreambleFailure | undefined
  const reader = new PreambleReader(
    given.response ?? response,
    exchange,
    { ...BOUNDS, ...given.bounds },
    {
      onReady(readable, because) {
        log.push(`ready: ${because}`)
        ready = readable
      },
      onSilence: () => log.push('silence'),
      onFailure(failed) {
        log.push(`failed: ${failed.kind} ${failed.status ?? 'without a status'}`)
        failure = failed
      },
    },
    timers,
  )
  return {
    exchange,
    response,
    reader,
    timers,
    log,
    /** Whether nothing of the exchange has changed. */
    isUntouched: () => stateOf(exchange) === untouched && res.writes.length === 0 && !res.headersSent,
    ready: () => ready!,
    failure: () => failure!,
    /** Sends chunks, and lets each be read before the next. */
    async send(...chunks: (Buffer | string)[]) {
      for (const chunk of chunks) {
        response.send(chunk)
        await settled(1)
      }
    },
    async finish() {
      response.finish()
      await settled()
    },
    async break() {
      response.break()
      await settled()
    },
  }
}

function stateOf({ answer, traffic, phase, outcome, deadlines, providerStatus }: Exchange): string {
  return JSON.stringify([answer, traffic.events, traffic.upstreamBytes, phase, outcome, deadlines, providerStatus])
}

/** Reads a body to its end; what had arrived of it, and `isBroken`, if it breaks off. */
export async function bodyOf(body: Readable): Promise<{ text: string; isBroken: boolean }> {
  const chunks: Buffer[] = []
  const read = () => {
    for (let chunk = body.read(); chunk !== null; chunk = body.read()) chunks.push(Buffer.from(chunk))
  }
  if (!body.closed && !body.readableEnded) {
    body.on('readable', read)
    const ended = once(body, 'end').then(() => true)
    const closed = once(body, 'close').then(() => false)
    await Promise.race([ended, closed]).catch(() => {})
  }
  read()
  return { text: Buffer.concat(chunks).toString('latin1'), isBroken: !body.readableEnded }
}
