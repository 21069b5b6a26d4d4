import { type AiProxyError, limitFailure, toFailure } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import type { Framer } from '../framing/index.js'
import { debug } from '../util/debug.js'
import type { PendingAnswer } from './carriage.js'
import { ContentWatch } from './content-watch.js'

/** The two ways in which an answer ends. */
export interface AnswerCallbacks {
  /**
   * The answer is complete, and all of it is written, or held. What this throws is a failure.
   *
   * @param held the answer, if the app is to see it before it goes out
   */
  onComplete(held?: PendingAnswer): void
  /** The answer failed, or hit a limit; all whole events that came before are written. */
  fail(failure: AiProxyError): void
}

/** Holds an answer to its limits in time and tokens, and ends it after the provider has said that it is done. */
export class ResponseLimits {
  /** The provider has said that its answer is over. */
  isTerminated = false
  /** The answer is known to be a stream, and passes as one. */
  isStream = false

  readonly #exchange: Exchange
  readonly #callbacks: AnswerCallbacks
  readonly #hasMore: () => boolean
  /** Exists if a limit on the model's silence is set. */
  readonly #contentWatch: ContentWatch | undefined

  /** @param hasMore whether bytes that the provider has sent are still to be passed on */
  constructor(exchange: Exchange, callbacks: AnswerCallbacks, hasMore: () => boolean) {
    this.#exchange = exchange
    this.#callbacks = callbacks
    this.#hasMore = hasMore
    const { maxStreamDurationMs, firstTokenTimeoutMs, progressTimeoutMs } = exchange.limits
    this.#startIdleTimer()
    if (Math.min(firstTokenTimeoutMs, progressTimeoutMs) < Number.POSITIVE_INFINITY) {
      this.#contentWatch = new ContentWatch(exchange, this)
    }
    exchange.deadlines.start('duration', maxStreamDurationMs, () => this.hit('stream_too_long'))
  }

  /** Bytes have come from the provider. */
  onBytes(count: number, now: number): void {
    this.#exchange.countUpstreamBytes(count)
    this.#exchange.deadlines.touch('idle', now)
  }

  /** Frames have been written: has the provider said that it is done, and has the model generated too much? */
  check(framer: Framer): void {
    const { answer, format } = this.#exchange
    const last = framer.last()
    const isOver = answer.isLast || framer.isClosed || (last && format.isTerminator(last))
    if (isOver && !this.isTerminated) {
      this.isTerminated = answer.isLast = true
      answer.endedAt = performance.now()
      this.#startGraceTimer()
      this.#contentWatch?.end()
    }
    this.#contentWatch?.look()
    const isTooLong = answer.generatedTokens > this.#exchange.limits.maxOutputTokens
    if (isTooLong && !this.isTerminated) this.hit('output_tokens_exceeded')
  }

  /** We stop reading, so silence says nothing about the provider. */
  pause(): void {
    this.#exchange.deadlines.stop('idle')
    this.#contentWatch?.pause()
  }

  /** We read again. */
  resume(): void {
    this.#startIdleTimer()
    this.#contentWatch?.resume()
  }

  /** The model was silent for too long. That fails a stream, but no other answer, whose bytes are all there is to see. */
  onSilence(failure: AiProxyError): void {
    if (this.isStream || this.#exchange.upstreamBytes === 0) this.#callbacks.fail(failure)
  }

  /** Ends the answer with the failure of a limit. */
  hit(code: Parameters<typeof limitFailure>[0]): void {
    this.#callbacks.fail(limitFailure(code, this.#exchange.limits))
  }

  #startIdleTimer(): void {
    this.#exchange.deadlines.start('idle', this.#exchange.limits.idleTimeoutMs, () => this.hit('idle_timeout'))
  }

  /** A provider that has said that it is done need not close the connection. What it has sent still goes out. */
  #startGraceTimer(): void {
    this.#exchange.deadlines.start('grace', this.#exchange.limits.terminatorGraceMs, () => {
      if (this.#hasMore()) return this.#startGraceTimer()
      debug.stream('%s the provider said that it was done and left the connection open', this.#exchange.id)
      try {
        this.#callbacks.onComplete()
      } catch (error) {
        this.#callbacks.fail(toFailure(error))
      }
    })
  }
}
