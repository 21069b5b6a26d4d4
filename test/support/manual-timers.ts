import type { TimerClock } from '../../lib/exchange/timer-clock.js'

interface Timer {
  readonly run: () => void
  readonly due: number
}

/** Timers that run when the test advances the time. */
export class ManualTimers implements TimerClock {
  time = 0
  /** The delay of each timer that was ever set. */
  readonly delays: number[] = []
  readonly #pending = new Set<Timer>()

  now(): number {
    return this.time
  }

  setTimer(run: () => void, ms: number): Timer {
    this.delays.push(ms)
    const timer = { run, due: this.time + ms }
    this.#pending.add(timer)
    return timer
  }

  clearTimer(timer: unknown): void {
    this.#pending.delete(timer as Timer)
  }

  get pending(): number {
    return this.#pending.size
  }

  /** Advances the time, and runs each timer at its time on the way. */
  advance(ms: number): void {
    const until = this.time + ms
    for (let next = this.#first(until); next; next = this.#first(until)) {
      this.#pending.delete(next)
      this.time = Math.max(this.time, next.due)
      next.run()
    }
    this.time = until
  }

  /** Lets time pass while the event loop is held: no timer runs. */
  hold(ms: number): void {
    this.time += ms
  }

  #first(until: number): Timer | undefined {
    return [...this.#pending].filter(({ due }) => due <= until).sort((a, b) => a.due - b.due)[0]
  }
}
