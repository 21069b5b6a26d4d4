import { AiProxyError } from '../api/errors.js'

/** Interval at which the delay of the event loop is measured. */
const INTERVAL_MS = 50

/** What the guard needs from the process; injected in tests. */
export interface OverloadClock {
  /** Monotonic time in milliseconds. */
  now(): number
  every(ms: number, run: () => void): { unref(): unknown }
  stop(timer: unknown): void
}

const processClock: OverloadClock = {
  now: () => performance.now(),
  every: (ms, run) => setInterval(run, ms),
  stop: (timer) => clearInterval(timer as NodeJS.Timeout),
}

/**
 * Measures the delay of the event loop: how late a timer fired the last time, or how long it is overdue now if that is
 * more.
 */
export class OverloadGuard {
  readonly #maxDelayMs: number
  readonly #clock: OverloadClock
  readonly #timer: unknown
  #dueAt: number
  #delayMs = 0

  constructor(maxEventLoopDelayMs: number, clock: OverloadClock = processClock) {
    this.#maxDelayMs = maxEventLoopDelayMs
    this.#clock = clock
    this.#dueAt = clock.now() + INTERVAL_MS
    const timer = clock.every(INTERVAL_MS, () => {
      const now = clock.now()
      this.#delayMs = now - this.#dueAt
      this.#dueAt = now + INTERVAL_MS
    })
    timer.unref()
    this.#timer = timer
  }

  /**
   * Throws if the event loop is later than the limit allows.
   *
   * @throws AiProxyError `overloaded`
   */
  admitStream(): void {
    const lateMs = Math.max(this.#delayMs, this.#clock.now() - this.#dueAt)
    if (lateMs <= this.#maxDelayMs) return
    throw new AiProxyError('overloaded', 'The server is overloaded (overload.maxEventLoopDelayMs)')
  }

  close(): void {
    this.#clock.stop(this.#timer)
  }
}
