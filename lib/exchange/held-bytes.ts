import { AiProxyError, limitFailure } from '../api/errors.js'
import type { ResolvedLimits } from '../api/limits.js'

/** The request bodies that a middleware holds in memory, all together: what `maxHeldBytes` bounds. */
export class HeldBytes {
  /** How many there are now. */
  count = 0
  readonly limits: ResolvedLimits

  constructor(limits: ResolvedLimits) {
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
  #isClosed = false
  /** Work that holds the bytes is under way. */
  #isWorkedOn = false

  constructor(all: HeldBytes) {
    this.#all = all
  }

  /**
   * Counts further bytes, before they are kept.
   *
   * @throws AiProxyError `held_bytes_exceeded`; `aborted` after `close()`: nobody needs the body any more
   */
  add(bytes: number): void {
    if (this.#isClosed) throw new AiProxyError('aborted', 'The request is over')
    if (bytes > 0 && this.#all.count + bytes > this.#all.limits.maxHeldBytes) {
      throw limitFailure('held_bytes_exceeded', this.#all.limits)
    }
    this.#bytes += bytes
    this.#all.count += bytes
  }

  /** Gives some of them back. */
  remove(bytes: number): void {
    const fewer = Math.min(bytes, this.#bytes)
    this.#bytes -= fewer
    this.#all.count -= fewer
  }

  /** The request is over: nothing is added any more, and work on its body stops. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Takes no further bytes. What is held counts until it is let go of. */
  close(): void {
    this.#isClosed = true
  }

  /** Gives all back, for good: at once, or when the work is over that still holds the bytes. */
  release(): void {
    this.#isClosed = true
    if (!this.#isWorkedOn) this.#free()
  }

  /**
   * Counts the bytes until work that holds them is over, whatever becomes of the request meanwhile.
   *
   * @param work if the share is closed when it ends, it has let go of the bytes
   */
  async during(work: () => Promise<void>): Promise<void> {
    this.#isWorkedOn = true
    try {
      await work()
    } finally {
      this.#isWorkedOn = false
      if (this.#isClosed) this.#free()
    }
  }

  #free(): void {
    this.#all.count -= this.#bytes
    this.#bytes = 0
  }
}
