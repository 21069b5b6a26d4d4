/** Source of time; injected in tests. */
export interface TimerClock {
  /** Monotonic time in milliseconds. */
  now(): number
  setTimer(run: () => void, ms: number): unknown
  clearTimer(timer: unknown): void
}

/** The process's own time. */
export const processClock: TimerClock = {
  now: () => performance.now(),
  setTimer: (run, ms) => setTimeout(run, ms),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
}
