import type { Clock } from './clock.js'

/** A sample that is so old counts half. */
const HALF_LIFE_MS = 60_000

/** Average in which samples lose weight by age, with a half-life of 60 s: by time, however many samples come. */
export class MovingAverage {
  readonly #clock: Clock
  #sum = 0
  #weight = 0
  #samples = 0
  #at = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(value: number): void {
    const now = this.#clock.now()
    const decay = 2 ** ((this.#at - now) / HALF_LIFE_MS)
    this.#sum = this.#sum * decay + value
    this.#weight = this.#weight * decay + 1
    this.#samples++
    this.#at = now
  }

  /** `undefined` without a sample. */
  get value(): number | undefined {
    return this.#samples === 0 ? undefined : this.#sum / this.#weight
  }

  get samples(): number {
    return this.#samples
  }
}
