import type { Exceeded } from './refusal-of.js'

/** More than are refused at once in a busy process; the oldest goes. */
const MAX_DENIALS = 10_000

/** An operator may add to a quota, or reset it, on another machine. */
const LONGEST_MS = 60_000

interface Denial {
  readonly until: number
  readonly at: number
  /** In the store's units. */
  readonly allowed: number
  readonly amount: number
  readonly exceeded: Exceeded
}

/** Remembers what a store has refused for as long as it would refuse it again, so that it need not be asked. */
export class Denials {
  readonly #known = new Map<string, Denial>()

  get isEmpty(): boolean {
    return this.#known.size === 0
  }

  /**
   * @param bucket identifies it: its key, a line feed, and what distinguishes it from other buckets of the key
   * @param allowed what it allowed then: another request may have a larger limit under the same name
   * @param amount what was asked for
   * @param now monotonic, in milliseconds
   */
  add(bucket: string, allowed: number, amount: number, exceeded: Exceeded, now: number): void {
    this.#known.delete(bucket)
    this.#known.set(bucket, {
      until: now + Math.min(exceeded.fitsInMs, LONGEST_MS),
      at: now,
      allowed,
      amount,
      exceeded,
    })
    if (this.#known.size <= MAX_DENIALS) return
    const [oldest] = this.#known.keys()
    if (oldest !== undefined) this.#known.delete(oldest)
  }

  /** Returns why an amount is certain to be refused, as of now; `undefined` if it may pass. */
  find(bucket: string, allowed: number, amount: number, now: number): Exceeded | undefined {
    const denial = this.#known.get(bucket)
    if (!denial) return undefined
    if (denial.until <= now) this.#known.delete(bucket)
    if (denial.until <= now || amount < denial.amount || allowed > denial.allowed) return undefined
    const { limit, needs, fitsInMs } = denial.exceeded
    const passed = now - denial.at
    return { limit: { ...limit, resetMs: Math.max(0, limit.resetMs - passed) }, needs, fitsInMs: fitsInMs - passed }
  }

  /** Forgets the buckets of a key. */
  forget(key: string): void {
    for (const bucket of this.#known.keys()) if (bucket.startsWith(`${key}\n`)) this.#known.delete(bucket)
  }
}
