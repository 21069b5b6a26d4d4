import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'

/** Interval of the timer that Node measures with. */
const RESOLUTION_MS = 10

/** Delays of the event loop, in seconds. */
export interface Delays {
  readonly median: number
  readonly p99: number
  readonly max: number
}

/** Measures the delay of the event loop. Node unrefs its timer, so that it does not keep the process alive. */
export class EventLoopDelay {
  readonly #monitor: IntervalHistogram

  constructor(monitor: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })) {
    this.#monitor = monitor
  }

  start(): void {
    this.#monitor.enable()
  }

  /** Returns the delays since the previous call. */
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

/** Node measures the time from one tick of its timer to the next: an idle event loop has 10 ms, not 0. */
function delay(measuredNs: number): number {
  return Math.max(0, measuredNs - RESOLUTION_MS * 1e6) / 1e9
}
