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

/**
 * Maximum delay of the timer. Starting a longer deadline, as most are, then needs no new timer; nor does a stream's
 * heartbeat, which is started last.
 */
const MAX_TIMER_MS = 15_000

class Deadline {
  readonly name: string
  readonly afterMs: number
  readonly onDue: () => void
  due: number

  constructor(name: string, afterMs: number, onDue: () => void, due: number) {
    this.name = name
    this.afterMs = afterMs
    this.onDue = onDue
    this.due = due
  }
}

/**
 * Keeps all deadlines of an exchange on one timer. A stream postpones a deadline at every event: that only writes a
 * number, which the timer checks when it fires.
 */
export class Deadlines {
  readonly #clock: TimerClock
  /** There are only a few, so a search is cheaper than a table. */
  readonly #running: Deadline[] = []
  #timer: unknown
  #timerDue = Number.POSITIVE_INFINITY

  constructor(clock: TimerClock = processClock) {
    this.#clock = clock
  }

  /** Starts or restarts the deadline `name`. `Infinity` never expires. */
  start(name: string, afterMs: number, onDue: () => void): void {
    this.stop(name)
    if (afterMs === Number.POSITIVE_INFINITY) return
    const due = this.#clock.now() + afterMs
    this.#running.push(new Deadline(name, afterMs, onDue, due))
    if (due < this.#timerDue) this.#arm(due)
  }

  /** Postpones a running deadline: it counts from `now` again. */
  touch(name: string, now = this.#clock.now()): void {
    const deadline = this.#running[this.#find(name)]
    if (deadline) deadline.due = now + deadline.afterMs
  }

  /**
   * Stops a deadline for a while.
   *
   * @returns a function that starts it again with the time that was left
   */
  hold(name: string): () => void {
    const held = this.#running[this.#find(name)]
    if (!held) return () => {}
    const left = held.due - this.#clock.now()
    this.stop(name)
    return () => this.start(name, left, held.onDue)
  }

  stop(name: string): void {
    const at = this.#find(name)
    if (at !== -1) this.#running.splice(at, 1)
  }

  stopAll(): void {
    this.#running.length = 0
    this.#clock.clearTimer(this.#timer)
    this.#timer = undefined
    this.#timerDue = Number.POSITIVE_INFINITY
  }

  #arm(due: number): void {
    this.#clock.clearTimer(this.#timer)
    const now = this.#clock.now()
    const delay = Math.min(Math.max(Math.ceil(due - now), 0), MAX_TIMER_MS)
    this.#timerDue = now + delay
    this.#timer = this.#clock.setTimer(this.#onTimer, delay)
  }

  readonly #onTimer = (): void => {
    this.#timerDue = Number.POSITIVE_INFINITY
    const now = this.#clock.now()
    // If the event loop was held, several are due: what would have come first still does.
    for (const deadline of [...this.#running].sort((a, b) => a.due - b.due)) {
      if (deadline.due > now || !this.#running.includes(deadline)) continue
      this.stop(deadline.name)
      deadline.onDue()
    }
    const next = Math.min(...this.#running.map(({ due }) => due))
    if (next < this.#timerDue) this.#arm(next)
  }

  #find(name: string): number {
    for (let at = 0; at < this.#running.length; at++) if (this.#running[at]!.name === name) return at
    return -1
  }
}
