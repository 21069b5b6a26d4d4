import { AiProxyError, limitFailure, toFailure } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import type { TurnScheduler } from '../scheduling/turns.js'
import { debug } from '../util/debug.js'
import { ContentWatch } from './content-watch.js'
import type { Decoder } from './decode.js'
import type { Downstream } from './downstream.js'
import { acceptsRest, failureAtEnd, failureOfCut } from './ending.js'
import { Pump, type PumpEvents } from './pump.js'
import type { Carriage } from './unlabelled.js'

/** Told how the provider's answer ends. */
export interface RelayEvents {
  /** It is whole, and all of it is written. What this throws is a failure. */
  onComplete(): void
  /** It failed, or it may not go on. */
  fail(failure: AiProxyError): void
  /** A turn was taken, of so many milliseconds. */
  onTurn(ms: number): void
}

/** What the answer is read from, and how. */
interface Source {
  readonly body: ConstructorParameters<typeof Pump>[0]
  readonly carriage: Carriage
  /** What decodes the response, where that is the body: it ends with the exchange, whoever has stopped reading it. */
  readonly decoder: Decoder | undefined
  /** The end of the connection is the end of the body. */
  readonly isCloseDelimited: boolean
}

/** The provider's answer on its way to the client: it passes within the limits, and it is noticed when it is over. */
export class Relay implements PumpEvents {
  /** The provider has said that its answer is over. */
  isTerminated = false

  readonly #exchange: Exchange
  readonly #events: RelayEvents
  readonly #carriage: Carriage
  readonly #isCloseDelimited: boolean
  /** Where a limit on the silence of the model is set. */
  readonly #contentWatch: ContentWatch | undefined
  readonly #pump: Pump
  readonly #decoder: Decoder | undefined

  constructor(exchange: Exchange, source: Source, downstream: Downstream, turns: TurnScheduler, events: RelayEvents) {
    this.#exchange = exchange
    this.#events = events
    const { body, carriage } = source
    this.#carriage = carriage
    this.#decoder = source.decoder
    this.#isCloseDelimited = source.isCloseDelimited
    this.#awaitBytes()
    const { maxStreamDurationMs, maxResponseBytes, firstTokenTimeoutMs, progressTimeoutMs } = exchange.limits
    if (Math.min(firstTokenTimeoutMs, progressTimeoutMs) < Number.POSITIVE_INFINITY) {
      this.#contentWatch = new ContentWatch(exchange, this)
    }
    exchange.deadlines.start('duration', maxStreamDurationMs, () => this.#hit('stream_too_long'))
    this.#pump = new Pump(body, carriage.framer, carriage.metering, downstream, turns, maxResponseBytes, this)
  }

  /** The client has to read first. */
  pause(): void {
    this.#exchange.phase = 'stalled'
    // While we do not read, the provider's silence is ours.
    this.#exchange.deadlines.stop('idle')
    this.#contentWatch?.pause()
  }

  /** The client has read on; or it has left, and the rest is read without it. */
  resume(phase: 'streaming' | 'draining'): void {
    if (this.#exchange.phase !== 'stalled') return
    this.#exchange.phase = phase
    this.#awaitBytes()
    this.#contentWatch?.resume()
    this.#pump.wake()
  }

  /** Nothing more passes. */
  stop(): void {
    this.#pump.stop()
    this.#decoder?.destroy()
  }

  onBytes(count: number, now: number): void {
    this.#exchange.upstreamBytes += count
    this.#exchange.deadlines.touch('idle', now)
  }

  onPassed(last: Buffer | undefined): void {
    const { findings, format } = this.#exchange
    const isOver = findings.isLast || this.#carriage.framer.isClosed || (last && format.isTerminator(last))
    if (isOver && !this.isTerminated) {
      this.isTerminated = findings.isLast = true
      findings.endedAt = performance.now()
      this.#awaitEnd()
      this.#contentWatch?.end()
    }
    this.#contentWatch?.look()
    const isTooLong = findings.generatedTokens > this.#exchange.limits.maxOutputTokens
    if (isTooLong && !this.isTerminated) this.#hit('output_tokens_exceeded')
  }

  acceptsRest(rest: Buffer): boolean {
    return acceptsRest(rest, this.#exchange, this.#carriage)
  }

  isCut(): boolean {
    this.#exchange.finishMetering()
    return this.#exchange.findings.isCut
  }

  onEnd(): void {
    this.#endWith(failureAtEnd(this.#exchange, this.#carriage))
  }

  onCut(why: string): void {
    const failure = failureOfCut(why, this.#exchange, this.#carriage)
    // Where the end of the connection is all that ends a body, it may as well have broken.
    const mayBeBroken = this.#isCloseDelimited && failure?.code === 'upstream_truncated'
    if (mayBeBroken) this.onAborted(new Error(why))
    else this.#endWith(failure)
  }

  onAborted(cause: Error): void {
    // It had said that it was done: what broke is the connection, not the answer.
    if (this.isTerminated) this.#events.onComplete()
    else this.#events.fail(new AiProxyError('upstream_reset', 'The provider broke off its answer', { cause }))
  }

  /** The model is silent. An answer that is no stream is not held to that: its bytes are all there is to see of it. */
  onSilence(failure: AiProxyError): void {
    const isStream = this.#carriage.framing !== undefined && !this.#carriage.isEnclosed
    if (isStream || this.#exchange.upstreamBytes === 0) this.#events.fail(failure)
  }

  onTooManyBytes(): void {
    this.#hit('response_too_large')
  }

  onTooLargeEvent(): void {
    this.#hit('event_too_large')
  }

  onTurn(ms: number): void {
    this.#exchange.tookTurn(ms)
    this.#events.onTurn(ms)
  }

  onCrash(error: unknown): void {
    this.#events.fail(toFailure(error))
  }

  #hit(code: Parameters<typeof limitFailure>[0]): void {
    this.#events.fail(limitFailure(code, this.#exchange.limits))
  }

  #endWith(failure: AiProxyError | undefined): void {
    if (failure) this.#events.fail(failure)
    else this.#events.onComplete()
  }

  #awaitBytes(): void {
    this.#exchange.deadlines.start('idle', this.#exchange.limits.idleTimeoutMs, () => this.#hit('idle_timeout'))
  }

  /** A provider that has said that it is done need not close the connection. What it has sent still goes out. */
  #awaitEnd(): void {
    this.#exchange.deadlines.start('grace', this.#exchange.limits.terminatorGraceMs, () => {
      if (this.#pump.hasMore) return this.#awaitEnd()
      debug.stream('%s the provider said that it was done and left the connection open', this.#exchange.id)
      try {
        this.#events.onComplete()
      } catch (error) {
        this.onCrash(error)
      }
    })
  }
}
