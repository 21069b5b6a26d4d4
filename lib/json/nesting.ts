const QUOTE = 0x22
const BACKSLASH = 0x5c
// Every bracket and brace is at least this, so numbers and punctuation need one comparison.
const OPEN_BRACKET = 0x5b
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
// The bit in which a bracket and a brace differ.
const BRACE_BIT = 0x20

/**
 * Tracks strings and brackets in JSON that arrives in chunks, wherever these are cut. It builds and validates nothing:
 * a brace may close a bracket.
 */
export class JsonNesting {
  /** Number of open brackets and braces; negative if more were closed than opened. */
  depth = 0
  inString = false
  /** The last byte was a backslash in a string, and escapes the next byte. */
  #isEscaped = false

  /** Handles a byte outside strings that may begin a string or open a bracket. @returns whether it does */
  begin(byte: number): boolean {
    if (byte === QUOTE) this.inString = true
    else if ((byte | BRACE_BIT) === OPEN_BRACE) this.depth++
    else return false
    return true
  }

  /**
   * Skips the open string, then everything up to where `depth` brackets are open.
   *
   * @returns the index after it, or the end of the chunk
   */
  skip(chunk: Buffer, from: number, depth: number): number {
    let at = this.inString ? this.#skipString(chunk, from) : from
    let open = this.depth
    while (at < chunk.length && open !== depth) {
      const byte = chunk[at++]!
      if (byte === QUOTE) at = this.#skipString(chunk, at)
      else if (byte < OPEN_BRACKET) continue
      else if ((byte | BRACE_BIT) === OPEN_BRACE) open++
      else if ((byte | BRACE_BIT) === CLOSE_BRACE) open--
    }
    this.depth = open
    return at
  }

  /** Tracks all of the bytes. */
  skipAll(chunk: Buffer): void {
    this.skip(chunk, 0, Number.NEGATIVE_INFINITY)
  }

  /** Whether a string, bracket or brace is still open. */
  get isOpen(): boolean {
    return this.inString || this.depth > 0
  }

  /** Finds quotes with a native search. @returns the index after the string, or the end of the chunk */
  #skipString(chunk: Buffer, from: number): number {
    let at = this.#isEscaped ? from + 1 : from
    for (;;) {
      const quote = chunk.indexOf(QUOTE, at)
      const end = quote === -1 ? chunk.length : quote
      let run = end
      while (run > at && chunk[run - 1] === BACKSLASH) run--
      const isEscaped = (end - run) % 2 === 1
      this.inString = quote === -1 || isEscaped
      this.#isEscaped = quote === -1 && isEscaped
      if (quote === -1) return end
      at = quote + 1
      if (!isEscaped) return at
    }
  }
}
