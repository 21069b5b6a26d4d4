import { AiProxyError } from '../api/errors.js'

/** How often the event loop is asked how late it is. */
const EVERY_MS = 50

/** What it takes from the process. */
export interface LateClock {
  /** Monotonic time in milliseconds. */
  now(): number
  every(ms: number, run: () => void): { unref(): unknown }
  stop(timer: unknown): void
}

const processClock: LateClock = {
  now: () => performance.now(),
  every: (ms, run) => setInterval(run, ms),
  stop: (timer) => clearInterval(timer as NodeJS.Timeout),
}

/**
 * Watches how late the event loop is: by how much a timer comes after it was due, the last time that it came, or now if
 * it is overdue by more.
 */
export class OverloadGuard {
  readonly #mostMs: number
  readonly #clock: LateClock
  readonly #timer: unknown
  #due: number
  #lateMs = 0

  constructor(maxEventLoopDelayMs: number, clock: LateClock = processClock) {
    this.#mostMs = maxEventLoopDelayMs
    this.#clock = clock
    this.#due = clock.now() + EVERY_MS
    const timer = clock.every(EVERY_MS, () => {
      const now = clock.now()
      this.#lateMs = now - this.#due
      this.#due = now + EVERY_MS
    })
    timer.unref()
    this.#timer = timer
  }

  /** @throws AiProxyError `overloaded` */
  admitStream(): void {
    const lateMs = Math.max(this.#lateMs, this.#clock.now() - this.#due)
    if (lateMs <= this.#mostMs) return
    throw new AiProxyError('overloaded', 'The server is overloaded (overload.maxEventLoopDelayMs)')
  }

  close(): void {
    this.#clock.stop(this.#timer)
  }
}
