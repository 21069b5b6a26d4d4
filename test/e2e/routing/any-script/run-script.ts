import http from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as nextRound } from 'node:timers/promises'
import express from 'express'
import { type AiProxy, type AiProxyStats, aiProxy, type ExchangeRecord } from '../../../../lib/index.js'
import { listen, type Owner } from '../../support/provider.js'
import { closed, within } from '../../support/waiting.js'
import { type Answer, answerOf, protocolOf } from './answers.js'
import { type Reply, type ScriptedTargets, type SeenRequest, startTargets } from './scripted-targets.js'
import type { Script, Step } from './scripts.js'

/** An attempt for which the proxy asked for credentials, and what its target saw of it. */
export interface ScriptedAttempt {
  readonly target: number
  readonly step: Step | 'refuses'
  readonly answer: Answer | undefined
  /** Number of bytes of the answer that the target sends. */
  readonly length: number
  readonly seen: SeenRequest[]
}

interface ClientResult {
  readonly status: number | undefined
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
  readonly isComplete: boolean
  readonly hasLeft: boolean
}

/** All that could be seen of a script. */
export interface Evidence {
  readonly attempts: readonly ScriptedAttempt[]
  /** Requests that no attempt accounts for. */
  readonly strays: readonly SeenRequest[]
  readonly client: ClientResult
  readonly records: readonly ExchangeRecord[]
  /** As soon as the exchange was over. */
  readonly stats: AiProxyStats
  /** Number of connections that were open then although their target was not done. */
  readonly open: number
}

/** What happened, for the report of a failure. */
export function summaryOf({ attempts, records, client }: Evidence): string {
  const lines = attempts.map(({ target, step, answer, length, seen }) => {
    const how =
      typeof step === 'string' ? step : `${answer!.status}, ${length} of ${answer!.wire.length} bytes, ${step.cut?.how}`
    return `t${target}: ${how}, seen ${seen.length} times`
  })
  const record = records[0]
  return [...lines, JSON.stringify({ ...record, cause: undefined }), JSON.stringify(client)].join('\n')
}

interface Running {
  readonly proxy: AiProxy
  onRequest(request: SeenRequest): Reply | undefined
}

export const CLIENT_KEY = 'the-key-of-the-client'

/** Runs scripts, many at a time, with one app and one set of providers. */
export class ScriptRunner {
  readonly #running = new Map<string, Running>()
  #targets: ScriptedTargets | undefined
  #port = 0
  #count = 0

  static async start(t: Owner, targets: number): Promise<ScriptRunner> {
    const runner = new ScriptRunner()
    runner.#targets = await startTargets(t, targets, (request) =>
      runner.#running.get(request.script)?.onRequest(request),
    )
    const app = express()
    app.set('env', 'test')
    app.use((req, res, next) => runner.#running.get(String(req.headers['x-script']))!.proxy(req, res, next))
    runner.#port = await listen(t, http.createServer(app))
    return runner
  }

  async run(script: Script): Promise<Evidence> {
    const id = `s${this.#count++}`
    const attempts: ScriptedAttempt[] = []
    const strays: SeenRequest[] = []
    const connections = new Set<Socket>()
    const records: ExchangeRecord[] = []
    let calls = 0
    let hasRecord = () => {}
    const recorded = new Promise<void>((resolve) => {
      hasRecord = resolve
    })
    const client = new ScriptClient(this.#port, id, script)

    const prepare = (target: number): string => {
      const number = attempts.length
      const steps = script.targets[target]!
      const before = attempts.filter((each) => each.target === target).length
      const step = steps === 'refuses' ? steps : steps[Math.min(before, steps.length - 1)]!
      const plan = typeof step === 'string' ? undefined : step
      const answer = plan && answerOf(plan, script.protocol, script.isStream, `${id}.${number}.`)
      const length = answer ? Math.floor((plan?.cut?.at ?? 1) * answer.wire.length) : 0
      attempts.push({ target, step, answer, length, seen: [] })
      client.leaveIf('prepare', attempts.length)
      if (step === 'no-credentials') throw new Error('the vault is closed')
      return `Bearer key-of-${id}-${number}-`
    }

    const onRequest = (request: SeenRequest): Reply | undefined => {
      connections.add(request.connection)
      const number = /^Bearer key-of-\w+-(\d+)-$/.exec(request.authorization)?.[1]
      const attempt = number === undefined ? undefined : attempts[Number(number)]
      client.leaveIf('call', ++calls)
      if (!attempt?.answer || typeof attempt.step === 'string') {
        strays.push(request)
        return undefined
      }
      attempt.seen.push(request)
      const { answer, length, step } = attempt
      const then = step.cut?.how ?? (answer.isCloseDelimited ? 'end' : 'keep-alive')
      return { answer, length, then, writes: step.writes }
    }

    const { setUp } = script
    const proxy = aiProxy({
      targets: script.targets.map((steps, at) => ({
        name: `t${at}`,
        target: `http://127.0.0.1:${steps === 'refuses' ? this.#targets!.closedPort : this.#targets!.ports[at]}/${id}`,
        auth: { headers: { authorization: () => prepare(at) } },
        priority: at,
      })),
      retry: {
        attempts: setUp.attempts,
        withinMs: setUp.withinMs,
        backoffMs: setUp.backoffMs,
        maxWaitMs: 20,
        preamble: setUp.preamble,
      },
      ...(setUp.hedge && { hedge: setUp.hedge }),
      heartbeat: { beforeFirstByte: setUp.opensEarly },
      onClientDisconnect: setUp.drains ? 'drain' : 'abort',
      limits: {
        firstByteTimeoutMs: 250,
        idleTimeoutMs: 250,
        terminatorGraceMs: 10,
        firstTokenTimeoutMs: setUp.firstTokenTimeoutMs,
      },
      warnings: false,
      onError: () => {},
      onFinish: (record) => {
        records.push(record)
        hasRecord()
      },
    })
    this.#running.set(id, { proxy, onRequest })
    try {
      const result = await within(client.ask(), 'the end of the answer')
      await within(recorded, 'the record')
      await nextRound()
      const stats = proxy.stats()
      for (let round = 0; round < 50 && stalled(attempts).length > 0; round++) await nextRound()
      const open = stalled(attempts).length
      // Those in the pool notice, and close as well; those that an attempt has forgotten do not.
      for (const connection of connections) connection.end()
      for (const connection of connections) await closed(connection, 'a connection to a provider')
      await within(proxy.close({ graceMs: 0 }), 'close()')
      return { attempts, strays, client: result, records, stats, open }
    } finally {
      client.leave()
      this.#running.delete(id)
      void proxy.close({ graceMs: 0 })
    }
  }
}

/** Returns the connections that are open, and whose target neither ends its answer nor closes them. */
function stalled(attempts: readonly ScriptedAttempt[]): Socket[] {
  return attempts.flatMap(({ step, seen }) => {
    const isStalled = typeof step !== 'string' && step.cut?.how === 'stall'
    return isStalled ? seen.map(({ connection }) => connection).filter((connection) => !connection.destroyed) : []
  })
}

class ScriptClient {
  readonly #script: Script
  readonly #port: number
  readonly #id: string
  #request: http.ClientRequest | undefined
  #hasLeft = false

  constructor(port: number, id: string, script: Script) {
    this.#port = port
    this.#id = id
    this.#script = script
  }

  /** Resolves when the connection is closed. */
  ask(): Promise<ClientResult> {
    const { protocol, isStream } = this.#script
    const { path, request } = protocolOf[protocol]
    const body = JSON.stringify({ ...request, stream: isStream })
    const headers = {
      'content-type': 'application/json',
      'content-length': body.length,
      'x-script': this.#id,
      authorization: `Bearer ${CLIENT_KEY}`,
    }
    return new Promise((resolve) => {
      let response: http.IncomingMessage | undefined
      let text = ''
      const asked = http.request({ port: this.#port, path, method: 'POST', headers, agent: false })
      this.#request = asked
      asked.on('response', (answer) => {
        response = answer
        answer.setEncoding('utf8')
        answer.on('error', () => {})
        answer.on('data', (more: string) => {
          if (this.#hasLeft) return
          text += more
          this.leaveIf('bytes', text.length)
        })
      })
      asked.on('error', () => {})
      asked.on('close', () =>
        resolve({
          status: response?.statusCode,
          headers: response?.headers ?? {},
          body: text,
          isComplete: response?.complete ?? false,
          hasLeft: this.#hasLeft,
        }),
      )
      asked.end(body)
    })
  }

  leaveIf(on: 'prepare' | 'call' | 'bytes', count: number): void {
    const { leaving } = this.#script
    if (!leaving || leaving.on !== on || this.#hasLeft) return
    if (on === 'bytes' ? count >= leaving.count : count === leaving.count) this.leave()
  }

  leave(): void {
    this.#hasLeft = true
    this.#request?.destroy()
  }
}
