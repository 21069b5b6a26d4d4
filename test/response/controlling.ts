import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import type { TestContext } from 'node:test'
import type { Request, Response } from 'express'
import { type AiProxyError, toFailure } from '../../lib/api/errors.js'
import type { AiProxyOptions } from '../../lib/api/options.js'
import type { ExchangeRecord } from '../../lib/api/record.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import { recordOf } from '../../lib/exchange/record-of.js'
import { resolveOptions } from '../../lib/options/resolve.js'
import { ResponseController } from '../../lib/response/response-controller.js'
import { settled } from '../support/event-loop.js'
import { FakeResponse } from '../support/fake-response.js'
import { manualTurns } from '../support/manual-turns.js'

export type ProviderResponse = PassThrough & IncomingMessage

export interface Given extends Partial<AiProxyOptions> {
  path?: string
  method?: string
  res?: FakeResponse
  onStream?: () => void
}

export const SSE = { 'content-type': 'text/event-stream' }
/** An event. A word becomes data that may be of any protocol. */
export const event = (data: string) => `data: ${/^\w+$/.test(data) ? `["${data}"]` : data}\n\n`

/** An exchange between a fake client and a fake provider, with time that is moved by hand. */
export function rig(t: TestContext, given: Given = {}) {
  const {
    path = '/v1/chat/completions',
    method = 'POST',
    res = new FakeResponse(),
    onStream = () => {},
    ...options
  } = given
  const { clock, turns } = manualTurns(1000)
  t.mock.method(performance, 'now', () => clock.time)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { setTimeout, clearTimeout } = globalThis
  const pending = new Set<unknown>()
  t.mock.method(globalThis, 'setTimeout', (due: () => void, ms: number) => {
    const timer = setTimeout(() => {
      pending.delete(timer)
      due()
    }, ms)
    pending.add(timer)
    return timer
  })
  t.mock.method(globalThis, 'clearTimeout', (timer: NodeJS.Timeout | undefined) => {
    pending.delete(timer)
    clearTimeout(timer)
  })
  const req = { method, path, url: path, complete: true, socket: res.socket }
  const left: AiProxyError[] = []
  const config = resolveOptions({ target: 'https://provider.example', heartbeat: false, ...options })
  const onFailure = (failure: unknown) => left.push(failure as AiProxyError)
  const exchange = new Exchange(req as unknown as Request, res as unknown as Response, onFailure, config.limits)
  const log: string[] = []
  let record: ExchangeRecord | undefined
  const delivery = new ResponseController(exchange, {
    config,
    turns,
    registry: { admitStream: onStream },
    observers: { onTurn: undefined },
    onUnflushable: () => log.push('unflushable'),
    onMissingCodec: () => log.push('codec missing'),
    onEnd: () => {
      log.push('over')
      record ??= recordOf(exchange)
    },
  })
  delivery.upstream = { isUnderWay: true, end: () => log.includes('upstream ended') || log.push('upstream ended') }
  const run = async () => {
    await settled()
    while (clock.deferred > 0) {
      clock.runAll()
      await settled()
    }
  }
  /** The provider's head arrives, and what is given of its body. */
  const answer = async (headers: Record<string, string>, body: string | Buffer = '', statusCode = 200) => {
    const response = Object.assign(new PassThrough(), { statusCode, headers }) as unknown as ProviderResponse
    try {
      delivery.begin(response)
    } catch (error) {
      // As those do who hand a response over.
      delivery.fail(toFailure(error))
    }
    if (body.length > 0) response.write(body)
    await run()
    return response
  }
  const advance = async (ms: number) => {
    clock.time += ms
    t.mock.timers.tick(ms)
    await run()
  }
  /** How the exchange ended, as its record has it. */
  const ended = () => {
    const { outcome, code, status, events } = record ?? recordOf(exchange)
    return { outcome, code, status, events, over: log.filter((line) => line === 'over').length }
  }
  /** This round's turns have taken all the time they may: what wants a turn now waits for the next round. */
  const useUpRound = () => turns.runOrEnqueue({ runTurn: () => (clock.time += 1000), onTurnEnd: () => {} })
  return { exchange, delivery, res, log, left, run, answer, advance, useUpRound, ended, timers: () => pending.size }
}

/** How an exchange ended that ended well. */
export const completed = (events: number, status = 200) => ({
  outcome: 'completed',
  code: undefined,
  status,
  events,
  over: 1,
})
