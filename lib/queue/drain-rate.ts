const SAMPLES = 32
const MAX_SECONDS = 600

/** How fast a queue drains, by the last exchanges that ended. */
export class DrainRate {
  readonly #ends: number[] = []

  /** @param now monotonic, in milliseconds */
  add(now: number): void {
    this.#ends.push(now)
    if (this.#ends.length > SAMPLES) this.#ends.shift()
  }

  /** Returns the seconds in which so many exchanges end, from 1 to 600; 1 if nothing is known. */
  secondsFor(count: number, now: number): number {
    const [first] = this.#ends
    if (first === undefined || this.#ends.length < 2 || now <= first) return 1
    // Up to now: if nothing ends any more, the rate falls.
    const perSecond = (1000 * this.#ends.length) / (now - first)
    return Math.min(MAX_SECONDS, Math.max(1, Math.ceil(count / perSecond)))
  }
}
