import { AiProxyError, limitFailure } from '../errors.js'
import type { Limits } from '../limits.js'

/** The request bodies that a middleware holds in memory, all together: what `maxHeldBytes` bounds. */
export class HeldBytes {
  /** How many there are now. */
  count = 0
  readonly limits: Readonly<Limits>

  constructor(limits: Readonly<Limits>) {
    this.limits = limits
  }

  /** The share of one exchange, empty at first. */
  share(): HeldShare {
    return new HeldShare(this)
  }
}

/** What one exchange holds of its request body. */
export class HeldShare {
  readonly #all: HeldBytes
  #bytes = 0
  #isReleased = false

  constructor(all: HeldBytes) {
    this.#all = all
  }

  /**
   * Counts further bytes, before they are kept.
   *
   * @throws AiProxyError `held_bytes_exceeded`; `aborted` after `release()`: nobody needs the body any more
   */
  add(bytes: number): void {
    if (this.#isReleased) throw new AiProxyError('aborted', 'The request is over')
    if (bytes > 0 && this.#all.count + bytes > this.#all.limits.maxHeldBytes) {
      throw limitFailure('held_bytes_exceeded', this.#all.limits)
    }
    this.#bytes += bytes
    this.#all.count += bytes
  }

  /** Gives some of them back. */
  remove(bytes: number): void {
    if (this.#isReleased) return
    this.#bytes -= bytes
    this.#all.count -= bytes
  }

  /** Gives all back, for good. */
  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#all.count -= this.#bytes
    this.#bytes = 0
  }
}
