import { AsyncResource } from 'node:async_hooks'
import { type Indexed, IndexedSet } from './indexed-set.js'
import type { TimerClock } from './timer-clock.js'

/** Deadlines none of which is due soon. */
export interface FarDeadlines extends Indexed {
  /** Sets a timer if one of them is due soon by now. @returns whether they are to be looked at again */
  look(now: number): boolean
}

/** How often they are looked at, in milliseconds. */
const ROUND_MS = 4000

/**
 * Looks at deadlines that are far away, every few seconds. A timer for each exchange would nearly always be set and cleared
 * for nothing.
 */
export class DeadlineRounds {
  readonly #clock: TimerClock
  readonly #waiting = new IndexedSet<FarDeadlines>()
  /** Of no request: what an app keeps for one must not live as long as there are others. */
  readonly #asyncContext = new AsyncResource('AiProxyDeadlines')
  #isTimed = false

  constructor(clock: TimerClock) {
    this.#clock = clock
  }

  add(deadlines: FarDeadlines): void {
    this.#waiting.add(deadlines)
    if (!this.#isTimed) this.#asyncContext.runInAsyncScope(this.#setTimer, this)
  }

  delete(deadlines: FarDeadlines): void {
    this.#waiting.delete(deadlines)
  }

  #setTimer(): void {
    this.#isTimed = true
    const timer = this.#clock.setTimer(this.#onTimer, ROUND_MS) as { unref?(): void }
    // Connections keep the process running for as long as it matters.
    timer.unref?.()
  }

  readonly #onTimer = (): void => {
    this.#isTimed = false
    const now = this.#clock.now()
    for (const deadlines of this.#waiting.all()) if (!deadlines.look(now)) this.#waiting.delete(deadlines)
    if (this.#waiting.size > 0) this.#setTimer()
  }
}
