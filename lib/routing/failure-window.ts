import type { Clock } from './clock.js'

/** Length of the window. */
const WINDOW_MS = 30_000

/** Each second has a slot of its own, so that the window takes the same memory under any load. */
const SLOT_MS = 1000
const SLOTS = WINDOW_MS / SLOT_MS

/** Fewer results say nothing about a target. */
const MIN_RESULTS = 5

/** Counts good and failed attempts of the last 30 s. */
export class FailureWindow {
  readonly #clock: Clock
  readonly #total = new Uint32Array(SLOTS)
  readonly #failed = new Uint32Array(SLOTS)
  /** The second, since the clock began, up to which the slots are current. */
  #second: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#second = this.#currentSecond()
  }

  add(hasFailed: boolean): void {
    this.#advance()
    const slot = this.#second % SLOTS
    this.#total[slot]!++
    if (hasFailed) this.#failed[slot]!++
  }

  /** Whether more than half of at least 5 attempts failed. */
  get failsOften(): boolean {
    this.#advance()
    const total = sum(this.#total)
    return total >= MIN_RESULTS && sum(this.#failed) > total / 2
  }

  clear(): void {
    this.#total.fill(0)
    this.#failed.fill(0)
  }

  /** Clears the slots of the seconds that have begun since the last call. */
  #advance(): void {
    const second = this.#currentSecond()
    for (let at = Math.max(this.#second, second - SLOTS) + 1; at <= second; at++) {
      this.#total[at % SLOTS] = 0
      this.#failed[at % SLOTS] = 0
    }
    this.#second = second
  }

  #currentSecond(): number {
    return Math.floor(this.#clock.now() / SLOT_MS)
  }
}

function sum(counts: Uint32Array): number {
  let total = 0
  for (const count of counts) total += count
  return total
}
