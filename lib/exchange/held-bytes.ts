import { AiProxyError, limitFailure } from '../api/errors.js'
import type { ResolvedLimits } from '../api/limits.js'

/** Counts the request bodies that a middleware holds in memory, all together, for the limit `maxHeldBytes`. */
export class HeldBytes {
  /** Current number of bytes. */
  count = 0
  readonly limits: ResolvedLimits

  constructor(limits: ResolvedLimits) {
    this.limits = limits
  }

  /** Creates the share of one exchange, empty at first. */
  share(): HeldShare {
    return new HeldShare(this)
  }
}

/** One exchange's share of the bytes in memory. */
export class HeldShare {
  readonly #all: HeldBytes
  #bytes = 0
  #isClosed = false
  /** Whether running work still holds the bytes. */
  #isWorkedOn = false

  constructor(all: HeldBytes) {
    this.#all = all
  }

  /**
   * Counts further bytes, before they are kept.
   *
   * @throws AiProxyError `held_bytes_exceeded`; `aborted` after `close()`, when the body is no longer needed
   */
  add(bytes: number): void {
    if (this.#isClosed) throw new AiProxyError('aborted', 'The request is over')
    if (bytes > 0 && this.#all.count + bytes > this.#all.limits.maxHeldBytes) {
      throw limitFailure('held_bytes_exceeded', this.#all.limits)
    }
    this.#bytes += bytes
    this.#all.count += bytes
  }

  /** Releases some of the bytes. */
  remove(bytes: number): void {
    const fewer = Math.min(bytes, this.#bytes)
    this.#bytes -= fewer
    this.#all.count -= fewer
  }

  /** Whether the request has ended: nothing may be added, and work on its body stops. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Accepts no further bytes. Those in memory count until they are released. */
  close(): void {
    this.#isClosed = true
  }

  /** Releases all bytes for good: now, or when the work that still holds them ends. */
  release(): void {
    this.#isClosed = true
    if (!this.#isWorkedOn) this.#free()
  }

  /**
   * Counts the bytes until the work that holds them ends, whatever happens to the request meanwhile.
   *
   * @param work must have dropped the bytes when it ends, if the share is closed by then
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
