import { limitFailure } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'

/** Callbacks of a content watch. */
interface ContentWatchEvents {
  onSilence(failure: ReturnType<typeof limitFailure>): void
}

/**
 * Enforces the limits on a model's silence, which bytes alone (comments, pings, preambles) do not end:
 * `firstTokenTimeoutMs` until the first content, `progressTimeoutMs` from any content to the next.
 */
export class ContentWatch {
  readonly #exchange: Exchange
  readonly #events: ContentWatchEvents
  /** When content last passed, as of the last check. */
  #contentAt: number | undefined
  #isPaused = false
  #isEnded = false

  constructor(exchange: Exchange, events: ContentWatchEvents) {
    this.#exchange = exchange
    this.#events = events
    // If the request asked for a stream, the timer has been running since the request was sent.
    if (!exchange.asksForStream) this.#start()
  }

  /** Checks whether content has passed since the last call. Called after frames have passed. */
  check(): void {
    const { contentAt } = this.#exchange.answer
    if (contentAt === this.#contentAt || this.#isEnded) return
    const isFirst = this.#contentAt === undefined
    this.#contentAt = contentAt
    if (isFirst) {
      this.#exchange.deadlines.stop('firstToken')
      if (!this.#isPaused) this.#start()
    } else {
      this.#exchange.deadlines.touch('progress', contentAt)
    }
  }

  /** We are not reading, so silence says nothing about the model: stop the timers. */
  pause(): void {
    this.#isPaused = true
    this.#exchange.deadlines.stop('firstToken')
    this.#exchange.deadlines.stop('progress')
  }

  resume(): void {
    this.#isPaused = false
    if (!this.#isEnded) this.#start()
  }

  /** Ends the watch at the end of the answer: what may follow is not content. */
  end(): void {
    this.#isEnded = true
    this.pause()
  }

  #start(): void {
    const { limits } = this.#exchange
    const isBegun = this.#contentAt !== undefined
    const ms = isBegun ? limits.progressTimeoutMs : limits.firstTokenTimeoutMs
    this.#exchange.deadlines.start(isBegun ? 'progress' : 'firstToken', ms, () => {
      this.#events.onSilence(limitFailure(isBegun ? 'progress_timeout' : 'first_token_timeout', limits))
    })
  }
}
