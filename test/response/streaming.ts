import { Readable } from 'node:stream'
import type { Request, Response } from 'express'
import type { AiProxyError } from '../../lib/api/errors.js'
import { Deadlines } from '../../lib/exchange/deadlines.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import type { Metering } from '../../lib/exchange/metering.js'
import { type Framer, framingFor, PassThroughFramer } from '../../lib/framing/index.js'
import { resolveOptions } from '../../lib/options/resolve.js'
import type { BodyPlan } from '../../lib/response/body-plan.js'
import { Downstream } from '../../lib/response/downstream.js'
import { ResponseStream } from '../../lib/response/response-stream.js'
import type { TurnScheduler } from '../../lib/scheduling/turns.js'
import { settled } from '../support/event-loop.js'
import { FakeResponse } from '../support/fake-response.js'
import { ManualTimers } from '../support/manual-timers.js'
import { manualTurns } from '../support/manual-turns.js'

export const KIB = 1024

/** A provider's response: what is pushed has arrived. */
export class Source extends Readable {
  reads = 0

  constructor(highWaterMark = 64 * KIB) {
    super({ highWaterMark })
  }

  override _read(): void {}

  override read(size?: number): Buffer | null {
    if (size !== 0) this.reads++
    return super.read(size)
  }

  /** Bytes arrive, one chunk each. */
  async arrive(...chunks: string[]): Promise<void> {
    for (const chunk of chunks) this.push(Buffer.from(chunk, 'latin1'))
    await settled()
  }

  async finish(): Promise<void> {
    this.push(null)
    await settled()
  }

  async breakOff(error?: Error): Promise<void> {
    this.destroy(error)
    await settled()
  }
}

/** One that gives one buffer a call on every version of Node, as all streams do from 26 on. */
export class OneByOneSource extends Source {
  readonly #sizes: number[] = []

  override push(chunk: Buffer | null): boolean {
    if (chunk) this.#sizes.push(chunk.length)
    return super.push(chunk)
  }

  override read(size?: number): Buffer | null {
    return super.read(size ?? this.#sizes.shift())
  }
}

interface Given {
  source?: Source
  type?: string
  maxBytes?: number
  maxEventBytes?: number
  turns?: TurnScheduler
  /** In the place of what the type says. */
  framer?: Framer
  metering?: Metering
}

/** A stream between a provider that sends by hand and a fake client; turns are taken when `run` lets them. */
export function rig(given: Given = {}) {
  const { source = new Source(), type = 'text/event-stream', maxBytes = Infinity, maxEventBytes = Infinity } = given
  const { clock, turns: ownTurns } = manualTurns(1000)
  const turns = given.turns ?? ownTurns
  const res = new FakeResponse()
  const framer = given.framer ?? framingFor(type)?.createFramer(maxEventBytes) ?? new PassThroughFramer()
  const log: string[] = []
  const crashes: unknown[] = []
  let turnsTaken = 0
  const req = { method: 'POST', url: '/v1/chat/completions', complete: true, socket: res.socket }
  const exchange = new Exchange(req as unknown as Request, res as unknown as Response)
  exchange.limits = {
    ...exchange.limits,
    maxResponseBytes: maxBytes,
    idleTimeoutMs: Infinity,
    maxStreamDurationMs: Infinity,
  }
  const isTerminator = (last: Buffer) => {
    log.push(`last ${last}`)
    return false
  }
  exchange.route(exchange.path, { ...exchange.format, isTerminator, isGuess: true })
  const sink = new Downstream(res.asServerResponse, new Deadlines(new ManualTimers()), () => 1000, {
    onBackpressure: () => {
      log.push('block')
      stream?.pause()
    },
    onDrain: () => {
      log.push('drain')
      stream?.resume('streaming')
    },
    onCrash: () => log.push('heartbeat crash'),
    onDrainTimeout: () => log.push('slow'),
    onUnflushable: () => log.push('unflushable'),
  })
  const context = {
    config: resolveOptions({ target: 'https://provider.example' }),
    turns,
    registry: { admitStream: () => {} },
    observers: { onTurn: () => void turnsTaken++ },
    onUnflushable: () => {},
    onMissingCodec: () => {},
    onEnd: () => {},
  }
  const bodyPlan: BodyPlan = { framer, metering: given.metering, framing: framingFor(type), isEnclosed: false }
  const body = { body: source, bodyPlan, decoder: undefined, isCloseDelimited: false }
  const stream: ResponseStream = new ResponseStream(exchange, context, body, sink, {
    onComplete: () => log.push('end'),
    fail: (failure) => {
      log.push(lineOf(failure))
      if (failure.code === 'internal_error') crashes.push(failure.cause)
    },
  })
  /** Lets turns run, and what follows from them, until nothing is left to do. */
  const run = async () => {
    do {
      clock.runAll()
      await settled()
    } while (clock.deferred > 0)
  }
  return {
    source,
    turns,
    clock,
    res,
    sink,
    stream,
    framer,
    log,
    crashes,
    run,
    bytes: () => exchange.traffic.upstreamBytes,
    turnsTaken: () => turnsTaken,
  }
}

export const event = (data: string) => `data: ${data}\n\n`

/** How the log says a failure. */
function lineOf({ code, cause }: AiProxyError): string {
  const why = cause instanceof Error ? cause.message : ''
  if (code === 'upstream_reset') return `broken: ${why}`
  if (code === 'upstream_truncated') return `cut: ${why}`
  return (
    { response_too_large: 'too many bytes', event_too_large: 'too large event', internal_error: 'crash' }[
      code as string
    ] ?? code
  )
}
