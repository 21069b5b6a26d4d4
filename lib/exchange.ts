import { randomUUID } from 'node:crypto'
import type { Request, Response } from 'express'
import { Deadlines } from './deadlines.js'
import type { AiProxyError, FailureCode, Outcome } from './errors.js'
import { type Format, formatFor } from './formats/index.js'
import type { Limits } from './options.js'

/**
 * Where an exchange is: the client's request comes in (`receiving`), the provider is connected to (`connecting`) and has
 * not answered yet (`waiting`); its answer passes (`streaming`), the client has to read first (`stalled`), the provider is
 * read to its end without a client (`draining`); the last bytes are on their way (`ending`).
 */
export type Phase = 'receiving' | 'connecting' | 'waiting' | 'streaming' | 'stalled' | 'draining' | 'ending'

/** An exchange under way. */
export interface ExchangeSnapshot {
  readonly id: string
  readonly phase: Phase
  /** The model that the request names. */
  readonly model: string | undefined
  /** Body bytes that the client was sent so far. */
  readonly bytes: number
  /** Milliseconds since its start. */
  readonly age: number
}

/** What is known of an exchange at its end. */
export interface ExchangeRecord {
  readonly id: string
  /**
   * `completed`: the provider's answer, whatever its status, went out whole. `client_disconnect`: the client left first.
   * `limit_exceeded`, `upstream_error`, `rejected`, `shutdown`: see `code`.
   */
  readonly outcome: Outcome
  /** The limit that was hit, where one was. */
  readonly limit: keyof Limits | undefined
  /** What went wrong, as error bodies and events name it. */
  readonly code: FailureCode | undefined
  /** What went wrong, in a sentence; with what the system said of it. */
  readonly error: string | undefined
  readonly method: string
  /** The path below the target, without the query, which may hold keys. */
  readonly path: string
  /** The model that the request names. */
  readonly model: string | undefined
  /** The request asked for a stream. */
  readonly stream: boolean
  /** Status that the client got; `undefined` where it left before. */
  readonly status: number | undefined
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly durationMs: number
  /** From the start to the head of the provider's response; `undefined` where none came. */
  readonly firstByteMs: number | undefined
  /** Bytes of the request's body. */
  readonly requestBytes: number
  /** Body bytes from the provider, decoded. */
  readonly upstreamBytes: number
  /** Body bytes to the client: heartbeats and error events count, HTTP's own framing does not. */
  readonly downstreamBytes: number
  /** Events that passed. */
  readonly events: number
  /** Turns that its stream took, the milliseconds of CPU time they took together, and the longest of them. */
  readonly turns: number
  readonly busyMs: number
  readonly maxTurnMs: number
}

/** One request and its response: where it is, what has passed, and, once, how it ended and why. */
export class Exchange {
  readonly id = randomUUID()
  readonly deadlines = new Deadlines()
  readonly req: Request
  readonly res: Response
  readonly startedAt = Date.now()
  phase: Phase = 'receiving'
  path: string
  format: Format
  model: string | undefined
  asksForStream = false
  /** It is one of the streams that `maxConcurrentStreams` bounds. */
  countsAsStream = false
  firstByteMs: number | undefined
  requestBytes = 0
  upstreamBytes = 0
  turns = 0
  busyMs = 0
  maxTurnMs = 0
  /** Who counts them: the stream's framer, the client's side. */
  counters = { events: () => 0, downstreamBytes: () => 0 }

  readonly #start = performance.now()
  #outcome: Outcome | undefined
  #failure: AiProxyError | undefined

  constructor(req: Request, res: Response) {
    this.req = req
    this.res = res
    this.path = req.url.split('?', 1)[0] ?? '/'
    this.format = formatFor(this.path)
  }

  /** Milliseconds since the start. */
  get age(): number {
    return performance.now() - this.#start
  }

  /** It is decided how the exchange ends; what may still follow is its last bytes. */
  get isSettled(): boolean {
    return this.#outcome !== undefined
  }

  get failure(): AiProxyError | undefined {
    return this.#failure
  }

  /** Decides how the exchange ends. Who comes first decides. @returns whether this call did */
  settle(outcome: Outcome, failure?: AiProxyError): boolean {
    // A stream that is drained after its client left may still fail, which changes no outcome but belongs in the record.
    this.#failure ??= failure
    if (this.#outcome !== undefined) return false
    this.#outcome = outcome
    return true
  }

  tookTurn(ms: number): void {
    this.turns++
    this.busyMs += ms
    if (ms > this.maxTurnMs) this.maxTurnMs = ms
  }

  snapshot(): ExchangeSnapshot {
    const { id, phase, model, age } = this
    return { id, phase, model, bytes: this.counters.downstreamBytes(), age }
  }

  record(): ExchangeRecord {
    const failure = this.#failure
    const cause =
      failure?.cause instanceof Error && failure.outcome === 'upstream_error' ? ` (${failure.cause.message})` : ''
    return {
      id: this.id,
      outcome: this.#outcome ?? 'completed',
      limit: failure?.limit,
      code: failure?.code,
      error: failure && failure.message + cause,
      method: this.req.method,
      path: this.path,
      model: this.model,
      stream: this.asksForStream,
      status: this.res.headersSent ? this.res.statusCode : undefined,
      startedAt: this.startedAt,
      durationMs: this.age,
      firstByteMs: this.firstByteMs,
      requestBytes: this.requestBytes,
      upstreamBytes: this.upstreamBytes,
      downstreamBytes: this.counters.downstreamBytes(),
      events: this.counters.events(),
      turns: this.turns,
      busyMs: this.busyMs,
      maxTurnMs: this.maxTurnMs,
    }
  }
}
