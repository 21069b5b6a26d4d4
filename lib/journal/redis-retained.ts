/** Parts in which the oldest events go: their bookkeeping must be small compared with them. */
const PARTS = 32

interface Part {
  first: number
  items: number
  bytes: number
}

/** How an entry is trimmed: how many items stay, and which event is the oldest then. */
export interface Trim {
  readonly kept: number
  readonly oldest: number
}

/** Knows how many items of a stream, and how many bytes, were written, and which are too old. */
export class RetainedItems {
  readonly #maxBytes: number
  readonly #parts: Part[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes of the events that are kept. */
  get bytes(): number {
    return this.#bytes
  }

  /** How large an item may become, unless one batch is larger. */
  get itemBytes(): number {
    return Math.min(16_384, Math.max(1, Math.floor(this.#maxBytes / PARTS)))
  }

  /** Notes an item that was written. @param first number of its first event; if it has none, of the next */
  add(first: number, bytes: number): void {
    const newest = this.#parts.at(-1)
    // An item without events never stands alone: it would be what stays.
    if (newest && (bytes === 0 || newest.bytes + bytes <= this.#maxBytes / PARTS)) {
      newest.items++
      newest.bytes += bytes
    } else this.#parts.push({ first, items: 1, bytes })
    this.#bytes += bytes
  }

  /** Forgets items that are too old; the newest one stays, however long it is. */
  trim(): Trim | undefined {
    let trimmed = 0
    while (this.#bytes > this.#maxBytes && trimmed < this.#parts.length - 1)
      this.#bytes -= this.#parts[trimmed++]!.bytes
    if (trimmed === 0) return undefined
    this.#parts.splice(0, trimmed)
    return { kept: this.#parts.reduce((sum, { items }) => sum + items, 0), oldest: this.#parts[0]!.first }
  }
}
