const SAMPLES = 32
const MAX_SECONDS = 600

/** How fast a queue drains, by the last exchanges that ended while it was busy. */
export class DrainRate {
  /** When they ended, on a clock that is stopped while the queue is not busy. */
  readonly #ends: number[] = []
  #busyMs = 0
  #busySince: number | undefined

  /** Says whether exchanges wait: if none does, those that end say nothing of how many could. @param now monotonic, in ms */
  setBusy(isBusy: boolean, now: number): void {
    if (isBusy === (this.#busySince !== undefined)) return
    this.#busyMs = this.#at(now)
    this.#busySince = isBusy ? now : undefined
  }

  /** An exchange has ended. @param now monotonic, in milliseconds */
  add(now: number): void {
    if (this.#busySince === undefined) return
    this.#ends.push(this.#at(now))
    if (this.#ends.length > SAMPLES) this.#ends.shift()
  }

  /** Returns the seconds in which `count` exchanges end, from 1 to 600; 1 if nothing is known. */
  secondsFor(count: number, now: number): number {
    const [first] = this.#ends
    // Up to now: if nothing ends any more, the rate falls.
    const ms = first === undefined ? 0 : this.#at(now) - first
    if (this.#ends.length < 2 || ms <= 0) return 1
    // The first end begins the time that is measured, and does not lie in it.
    const perSecond = (1000 * (this.#ends.length - 1)) / ms
    return Math.min(MAX_SECONDS, Math.max(1, Math.ceil(count / perSecond)))
  }

  #at(now: number): number {
    return this.#busyMs + (this.#busySince === undefined ? 0 : now - this.#busySince)
  }
}
