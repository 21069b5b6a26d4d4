import { type AiProxyError, limitFailure, toFailure } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import type { Framer } from '../framing/index.js'
import { debug } from '../util/debug.js'
import type { PendingAnswer } from './body-plan.js'
import { ContentWatch } from './content-watch.js'

/** Callbacks for the two ways in which an answer ends. */
export interface AnswerCallbacks {
  /** The answer is complete, and has been written. An exception is a failure of the exchange. */
  onComplete(held?: PendingAnswer): void
  /** The answer failed or hit a limit; all complete events before that have been written. */
  fail(failure: AiProxyError): void
}

/** The answer that the limits are for. */
interface LimitedAnswer {
  /** It has ended. */
  readonly isStopped: boolean
  /** Whether bytes from the provider still have to be forwarded. */
  readonly hasMore: boolean
}

/** Enforces the limits of an answer in time, bytes and tokens, and ends it after the provider has reported its end. */
export class ResponseLimits {
  /** The provider has reported the end of its answer. */
  isTerminated = false
  /** The answer is known to be a stream, and is sent as one. */
  isStream = false
  /** The stream is not what it should be until it is closed: an array in JSON. */
  mustBeClosed = false

  readonly #exchange: Exchange
  readonly #callbacks: AnswerCallbacks
  readonly #answer: LimitedAnswer
  /** Exists if a limit on the model's silence is set. */
  readonly #contentWatch: ContentWatch | undefined
  #bytesLeft: number

  constructor(exchange: Exchange, callbacks: AnswerCallbacks, answer: LimitedAnswer) {
    this.#exchange = exchange
    this.#callbacks = callbacks
    this.#answer = answer
    this.#bytesLeft = exchange.limits.maxResponseBytes
    const { maxStreamDurationMs, firstTokenTimeoutMs, progressTimeoutMs } = exchange.limits
    this.#startIdleTimer()
    if (Math.min(firstTokenTimeoutMs, progressTimeoutMs) < Number.POSITIVE_INFINITY) {
      this.#contentWatch = new ContentWatch(exchange, this)
    }
    exchange.deadlines.start('duration', maxStreamDurationMs, () => {
      this.failUnlessComplete(limitFailure('stream_too_long', exchange.limits))
    })
  }

  /** The client has seen how the stream ended, well or with the provider's error: no failure may follow. */
  get hasReportedEnd(): boolean {
    return this.isTerminated || (this.isStream && this.#exchange.answer.error !== undefined)
  }

  /** More bytes have arrived than may pass. */
  get isTooLarge(): boolean {
    return this.#bytesLeft < 0
  }

  /**
   * Counts bytes that arrived from the provider.
   *
   * @param size of all chunks together
   * @returns what of them may pass
   */
  take(chunks: readonly Buffer[], size: number, now: number): readonly Buffer[] {
    this.#exchange.traffic.countUpstreamBytes(size)
    this.#exchange.deadlines.touch('idle', now)
    const allowed = size <= this.#bytesLeft ? chunks : [Buffer.concat(chunks).subarray(0, this.#bytesLeft)]
    this.#bytesLeft -= size
    return allowed
  }

  /**
   * Checks, after frames were written, whether the provider has reported the end, and whether the model has generated
   * too much.
   */
  check(framer: Framer): void {
    const { answer, format } = this.#exchange
    const last = framer.last()
    const isOver = answer.isLast || this.#isClosedWell(framer) || (last && format.isTerminator(last))
    if (isOver && !this.isTerminated) {
      this.isTerminated = true
      answer.noteEnd(performance.now(), !framer.isClosed || format.isCustom)
      if (this.#isInGrace) this.#exchange.deadlines.stop('idle')
      this.#startGraceTimer()
      this.#contentWatch?.end()
    }
    this.#contentWatch?.check()
    this.checkBounds()
  }

  /** Whether an array is closed, and is complete: Google's last element has a finish reason. */
  #isClosedWell({ isClosed }: Framer): boolean {
    const { format, answer } = this.#exchange
    if (!isClosed || this.isTerminated || format.isCustom) return isClosed === true
    this.#exchange.readLastFrames()
    return answer.isComplete
  }

  /** Checks whether the model has generated too much, by the limit or by a policy. */
  checkBounds(): void {
    const { answer } = this.#exchange
    const isTooLong = answer.generatedTokens > this.#exchange.limits.maxOutputTokens
    if (isTooLong && !this.#isGenerated) return this.failWithLimit('output_tokens_exceeded')
    // Of any other answer all has been generated, and nothing of it can be saved.
    const refusal = this.isStream ? this.#exchange.policies?.check() : undefined
    if (refusal && !this.#isGenerated) this.#callbacks.fail(refusal)
  }

  /** Whether that many more bytes may exceed a limit of tokens: each token has at least one byte. */
  isNearBound(bytes: number): boolean {
    const { policies, answer } = this.#exchange
    if (!policies || policies.watchFrom === Number.POSITIVE_INFINITY) return false
    return answer.generatedTokens + bytes >= policies.watchFrom
  }

  /** Whether a policy waits for something: until it is there, nothing more may go out. */
  get isHeld(): boolean {
    return this.#exchange.policies?.isPaused === true && !this.hasReportedEnd
  }

  /** @param callback called when no policy waits any more */
  onRelease(callback: () => void): void {
    if (this.#exchange.policies) this.#exchange.policies.onResume = callback
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

  /** The model was silent for too long. That fails a stream, but no other answer, of which only bytes can be seen. */
  onSilence(failure: AiProxyError): void {
    if (this.isStream || this.#exchange.traffic.upstreamBytes === 0) this.failUnlessComplete(failure)
  }

  /** Fails an answer that does not go on, unless the client has all of it: then it ends well. */
  failUnlessComplete(failure: AiProxyError): void {
    if (this.#isComplete) this.#complete()
    else this.#callbacks.fail(failure)
  }

  /**
   * Ends a stream well that is to be ended from outside, if the client has seen its end.
   *
   * @returns whether it has
   */
  completeIfReported(): boolean {
    const hasEnded = this.isStream && this.hasReportedEnd && !this.#answer.isStopped
    if (hasEnded) this.#complete()
    return hasEnded
  }

  /** Whether nothing more will come of an answer that does not go on. */
  get #isComplete(): boolean {
    this.#exchange.finishMetering()
    return this.hasReportedEnd || (this.#hasFinishReason && !this.mustBeClosed)
  }

  /** Whether a stream has been generated to its end: what it still lacks are figures, and the end of its protocol. */
  get #isGenerated(): boolean {
    if (this.hasReportedEnd) return true
    this.#exchange.readLastFrames()
    return this.#hasFinishReason
  }

  /**
   * Whether the provider has said all it had to say, though not in the last message of its protocol. If more
   * follows a finish reason, as in early versions of Gemini, each message has one, and it ends nothing.
   */
  get #hasFinishReason(): boolean {
    const { answer, choicesAsked } = this.#exchange
    return this.isStream && answer.isCompleteFor(choicesAsked) && !answer.hasContentAfterEnd
  }

  /** Ends the answer with the failure of a limit. */
  failWithLimit(code: Parameters<typeof limitFailure>[0]): void {
    this.#callbacks.fail(limitFailure(code, this.#exchange.limits))
  }

  /** The provider has reported the end. The grace period limits its silence now: no failure may follow the end. */
  get #isInGrace(): boolean {
    return this.isTerminated && this.#exchange.limits.terminatorGraceMs < Number.POSITIVE_INFINITY
  }

  #startIdleTimer(): void {
    if (this.#isInGrace) return
    const { deadlines, limits } = this.#exchange
    deadlines.start('idle', limits.idleTimeoutMs, () => this.failUnlessComplete(limitFailure('idle_timeout', limits)))
  }

  /** Ends the answer if the provider leaves the connection open after its end. What it has sent is still forwarded. */
  #startGraceTimer(): void {
    this.#exchange.deadlines.start('grace', this.#exchange.limits.terminatorGraceMs, () => {
      if (this.#answer.hasMore) return this.#startGraceTimer()
      debug.stream('%s the provider said that it was done and left the connection open', this.#exchange.id)
      this.#complete()
    })
  }

  #complete(): void {
    try {
      this.#callbacks.onComplete()
    } catch (error) {
      this.#callbacks.fail(toFailure(error))
    }
  }
}
