/** A larger buffer is not kept for the next event. */
const MAX_KEPT_BYTES = 64 * 1024

/**
 * The beginning of an event whose end has not arrived, in one buffer that doubles as it grows. A list of the chunks
 * would need many times their size in memory if each has a few bytes.
 */
export class PendingBytes {
  length = 0
  #buffer = new Uint8Array(1024)

  append(bytes: Uint8Array): void {
    const length = this.length + bytes.length
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#buffer.length))
      larger.set(this.#buffer.subarray(0, this.length))
      this.#buffer = larger
    }
    this.#buffer.set(bytes, this.length)
    this.length = length
  }

  /** Returns a copy of the bytes, followed by `rest`, and forgets them. */
  takeWith(rest: Uint8Array): Uint8Array {
    const joined = new Uint8Array(this.length + rest.length)
    joined.set(this.#buffer.subarray(0, this.length))
    joined.set(rest, this.length)
    this.clear()
    return joined
  }

  clear(): void {
    this.length = 0
    if (this.#buffer.length > MAX_KEPT_BYTES) this.#buffer = new Uint8Array(1024)
  }
}
