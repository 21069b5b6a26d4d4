import { MAX_TIMER_MS } from '../util/max-timer.js'
import type { TimerClock } from './timer-clock.js'

const LATE_MS = 20

/**
 * A timer for how long something may take to arrive. On an event loop that was held up, timers fire before what has arrived
 * meanwhile is read: this one then waits until it has been.
 */
export class PatientTimer {
  readonly #clock: TimerClock
  readonly #run: () => void
  readonly #due: number
  #timer: unknown

  constructor(clock: TimerClock, ms: number, run: () => void) {
    this.#clock = clock
    this.#run = run
    const delay = Math.min(ms, MAX_TIMER_MS)
    this.#due = clock.now() + delay
    this.#timer = clock.setTimer(this.#onTime, delay)
  }

  clear(): void {
    this.#clock.clearTimer(this.#timer)
  }

  readonly #onTime = (): void => {
    if (this.#clock.now() - this.#due <= LATE_MS) this.#run()
    else this.#timer = this.#clock.setTimer(this.#run, 1)
  }
}
