import { limitFailure } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'

/** Told which limit was hit. */
interface ContentWatchEvents {
  onSilence(failure: ReturnType<typeof limitFailure>): void
}

/**
 * Holds a stream to the limits on the silence of its model, which bytes alone (comments, pings, preambles) do not end:
 * `firstTokenTimeoutMs` up to the first content, `progressTimeoutMs` from any content to the next.
 */
export class ContentWatch {
  readonly #exchange: Exchange
  readonly #events: ContentWatchEvents
  /** When content passed last, as far as it was looked at here. */
  #contentAt: number | undefined
  #isPaused = false
  #isOver = false

  constructor(exchange: Exchange, events: ContentWatchEvents) {
    this.#exchange = exchange
    this.#events = events
    // Where the request asked for a stream, the time has been running since it went out.
    if (!exchange.asksForStream) this.#start()
  }

  /** Frames have passed. */
  look(): void {
    const { contentAt } = this.#exchange.answer
    if (contentAt === this.#contentAt || this.#isOver) return
    const isFirst = this.#contentAt === undefined
    this.#contentAt = contentAt
    if (isFirst) {
      this.#exchange.deadlines.stop('firstToken')
      if (!this.#isPaused) this.#start()
    } else {
      this.#exchange.deadlines.touch('progress', contentAt)
    }
  }

  /** While we do not read, silence is ours. */
  pause(): void {
    this.#isPaused = true
    this.#exchange.deadlines.stop('firstToken')
    this.#exchange.deadlines.stop('progress')
  }

  resume(): void {
    this.#isPaused = false
    if (!this.#isOver) this.#start()
  }

  /** The answer is over: what may follow is no content. */
  end(): void {
    this.#isOver = true
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
