import type { AsyncResource } from 'node:async_hooks'
import { DeadlineRounds, type FarDeadlines } from './deadline-rounds.js'
import { processClock, type TimerClock } from './timer-clock.js'

/** A deadline that is further away has no timer yet. Most are, and are over long before. */
const FAR_MS = 10_000

const processRounds = new DeadlineRounds(processClock)

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
 * Keeps all deadlines of an exchange on one timer, or on none while they are far away. A stream postpones a deadline at
 * every event: that only writes a number, which is checked when the timer fires.
 */
export class Deadlines implements FarDeadlines {
  /** Only the set of those that are far away writes it. */
  index = -1
  readonly #clock: TimerClock
  readonly #rounds: DeadlineRounds
  readonly #asyncContext: AsyncResource | undefined
  /** The one that was started last leads to the others. There are only a few, so that a table would only cost memory. */
  #last: Deadline | undefined
  #timer: unknown
  #timerDue = Number.POSITIVE_INFINITY

  /**
   * @param asyncContext what is due runs in it; without it, in that of whatever set the timer
   * @param rounds where deadlines of other exchanges wait, too
   */
  constructor(
    clock: TimerClock = processClock,
    asyncContext?: AsyncResource,
    rounds = clock === processClock ? processRounds : new DeadlineRounds(clock),
  ) {
    this.#clock = clock
    this.#rounds = rounds
    this.#asyncContext = asyncContext
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
    this.#stopTimer()
    this.#rounds.delete(this)
  }

  look(now: number): boolean {
    const next = this.#next
    if (next - now > FAR_MS) return next < Number.POSITIVE_INFINITY
    if (next < this.#timerDue) this.#arm(next)
    return false
  }

  #arm(due: number): void {
    const now = this.#clock.now()
    if (due - now > FAR_MS) return this.#rounds.add(this)
    this.#stopTimer()
    const delay = Math.max(Math.ceil(due - now), 0)
    this.#timerDue = now + delay
    this.#timer = this.#clock.setTimer(this.#onTimer, delay)
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer)
    this.#timer = undefined
    this.#timerDue = Number.POSITIVE_INFINITY
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    this.#timerDue = Number.POSITIVE_INFINITY
    if (this.#asyncContext) this.#asyncContext.runInAsyncScope(this.#expire, this)
    else this.#expire()
  }

  #expire(): void {
    const now = this.#clock.now()
    // If the event loop was held, several are due: what would have come first still does.
    for (const deadline of this.#all().sort((a, b) => a.due - b.due)) {
      if (deadline.due > now || this.#find(deadline.name) !== deadline) continue
      this.stop(deadline.name)
      deadline.onDue()
    }
    const next = this.#next
    if (next < this.#timerDue) this.#arm(next)
  }

  /** When the first of them is due. */
  get #next(): number {
    let next = Number.POSITIVE_INFINITY
    for (let deadline = this.#last; deadline; deadline = deadline.before) next = Math.min(next, deadline.due)
    return next
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
