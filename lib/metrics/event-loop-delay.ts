import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'

/** A timer of so many milliseconds is what Node measures with. */
const RESOLUTION_MS = 10

/** Delays of the event loop, in seconds. */
export interface Delays {
  readonly median: number
  readonly p99: number
  readonly max: number
}

/** Measures how late the event loop is. It does not keep the process alive: Node's timer for it is unref'd. */
export class EventLoopDelay {
  readonly #monitor: IntervalHistogram

  constructor(monitor: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })) {
    this.#monitor = monitor
  }

  start(): void {
    this.#monitor.enable()
  }

  /** The delays since they were last taken. */
  readAndReset(): Delays {
    const monitor = this.#monitor
    const delays = {
      median: delay(monitor.percentile(50)),
      p99: delay(monitor.percentile(99)),
      max: delay(monitor.max),
    }
    monitor.reset()
    return delays
  }

  close(): void {
    this.#monitor.disable()
  }
}

/** What Node measures is the time from one tick of its timer to the next: an idle event loop has 10 ms, not 0. */
function delay(measuredNs: number): number {
  return Math.max(0, measuredNs - RESOLUTION_MS * 1e6) / 1e9
}
