/** Where time comes from; injected in tests. */
export interface TimerClock {
  /** Monotonic time in milliseconds. */
  now(): number
  setTimer(run: () => void, ms: number): unknown
  clearTimer(timer: unknown): void
}

const processClock: TimerClock = {
  now: () => performance.now(),
  setTimer: (run, ms) => setTimeout(run, ms),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
}

/**
 * The timer looks at least so often. A longer deadline, as most are, then needs no new timer when it is started, nor does
 * the heartbeat of a stream, which is started last.
 */
const LOOK_EVERY_MS = 15_000

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
 * An exchange's deadlines, on one timer. To put a deadline off, which a stream does at every event, costs no timer: it
 * writes a number, and the timer looks when it fires.
 */
export class Deadlines {
  readonly #clock: TimerClock
  /** A handful: to look through them costs less than a table of them. */
  readonly #running: Deadline[] = []
  #timer: unknown
  #timerDue = Number.POSITIVE_INFINITY

  constructor(clock: TimerClock = processClock) {
    this.#clock = clock
  }

  /** Starts the deadline `name`, or starts it anew. `Infinity` never comes due. */
  start(name: string, afterMs: number, onDue: () => void): void {
    this.stop(name)
    if (afterMs === Number.POSITIVE_INFINITY) return
    const due = this.#clock.now() + afterMs
    this.#running.push(new Deadline(name, afterMs, onDue, due))
    if (due < this.#timerDue) this.#arm(due)
  }

  /** Puts a running deadline off: it counts from `now` again. */
  touch(name: string, now = this.#clock.now()): void {
    const deadline = this.#running[this.#find(name)]
    if (deadline) deadline.due = now + deadline.afterMs
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
    const delay = Math.min(Math.max(Math.ceil(due - now), 0), LOOK_EVERY_MS)
    this.#timerDue = now + delay
    this.#timer = this.#clock.setTimer(this.#look, delay)
  }

  readonly #look = (): void => {
    this.#timerDue = Number.POSITIVE_INFINITY
    const now = this.#clock.now()
    for (const deadline of [...this.#running]) {
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
