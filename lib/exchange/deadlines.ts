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
  /** The one that was started before it. */
  before: Deadline | undefined

  constructor(name: string, afterMs: number, onDue: () => void, due: number, before: Deadline | undefined) {
    this.name = name
    this.afterMs = afterMs
    this.onDue = onDue
    this.due = due
    this.before = before
  }
}

/**
 * Keeps all deadlines of an exchange on one timer. A stream postpones a deadline at every event: that only writes a
 * number, which the timer checks when it fires.
 */
export class Deadlines {
  readonly #clock: TimerClock
  /** The one that was started last leads to the others. There are only a few, so that a table would only cost memory. */
  #last: Deadline | undefined
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
    this.#last = new Deadline(name, afterMs, onDue, due, this.#last)
    if (due < this.#timerDue) this.#arm(due)
  }

  /** Postpones a running deadline: it counts from `now` again. */
  touch(name: string, now = this.#clock.now()): void {
    const deadline = this.#find(name)
    if (deadline) deadline.due = now + deadline.afterMs
  }

  /**
   * Stops a deadline for a while.
   *
   * @returns a function that starts it again with the time that was left
   */
  hold(name: string): () => void {
    const held = this.#find(name)
    if (!held) return () => {}
    const left = held.due - this.#clock.now()
    this.stop(name)
    return () => this.start(name, left, held.onDue)
  }

  stop(name: string): void {
    let later: Deadline | undefined
    for (let deadline = this.#last; deadline; later = deadline, deadline = deadline.before) {
      if (deadline.name !== name) continue
      if (later) later.before = deadline.before
      else this.#last = deadline.before
      return
    }
  }

  stopAll(): void {
    this.#last = undefined
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
    for (const deadline of this.#all().sort((a, b) => a.due - b.due)) {
      if (deadline.due > now || this.#find(deadline.name) !== deadline) continue
      this.stop(deadline.name)
      deadline.onDue()
    }
    const next = Math.min(...this.#all().map(({ due }) => due))
    if (next < this.#timerDue) this.#arm(next)
  }

  /** In the order in which they were started. */
  #all(): Deadline[] {
    const all: Deadline[] = []
    for (let deadline = this.#last; deadline; deadline = deadline.before) all.unshift(deadline)
    return all
  }

  #find(name: string): Deadline | undefined {
    let deadline = this.#last
    while (deadline && deadline.name !== name) deadline = deadline.before
    return deadline
  }
}
