/** Lets no more than so many bytes of an answer pass. */
export class SizeLimit {
  #left: number

  constructor(maxBytes: number) {
    this.#left = maxBytes
  }

  /** More than may pass has arrived. */
  get isExceeded(): boolean {
    return this.#left < 0
  }

  /** @param size of all chunks together. @returns what of them may pass */
  take(chunks: readonly Buffer[], size: number): readonly Buffer[] {
    const allowed = size <= this.#left ? chunks : [Buffer.concat(chunks).subarray(0, this.#left)]
    this.#left -= size
    return allowed
  }
}
