import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How late the event loop was within a second, in milliseconds. */
export interface LoopSample {
  /** The end of the second, in milliseconds since the epoch. */
  at: number
  median: number
  worst: number
}

const RESOLUTION_MS = 10

/** Measures how late the event loop of this process runs, second by second. */
export class EventLoopDelay {
  /** The samples of the last seconds, oldest first. */
  readonly history: LoopSample[] = []
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  readonly #timer: NodeJS.Timeout

  /** @param keepSeconds how many samples to keep */
  constructor(keepSeconds: number) {
    this.#histogram.enable()
    this.#timer = setInterval(() => this.#sample(keepSeconds), 1000).unref()
  }

  #sample(keep: number): void {
    // The histogram holds the intervals between the ticks of a 10 ms timer.
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)
    const { max } = this.#histogram
    this.history.push({ at: Date.now(), median: late(this.#histogram.percentile(50)), worst: late(max) })
    this.history.splice(0, this.history.length - keep)
    this.#histogram.reset()
  }

  /** Stops measuring. */
  close(): void {
    clearInterval(this.#timer)
    this.#histogram.disable()
  }
}
