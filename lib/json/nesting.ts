const QUOTE = 0x22
const BACKSLASH = 0x5c
// No bracket and no brace is less: numbers and punctuation need one comparison.
const OPEN_BRACKET = 0x5b
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
// What a bracket and a brace differ in.
const BRACE_BIT = 0x20

/**
 * Follows the strings and brackets of JSON that comes in chunks, wherever it is cut. Nothing is built and nothing
 * validated: a brace may close a bracket.
 */
export class JsonNesting {
  /** Brackets and braces that are open; below 0 where more were closed. */
  depth = 0
  inString = false
  /** The last byte was a backslash in a string, that the next byte belongs to. */
  #isEscaped = false

  /** Takes a byte outside of strings that may begin a string, or open a bracket. @returns whether it does */
  begin(byte: number): boolean {
    if (byte === QUOTE) this.inString = true
    else if ((byte | BRACE_BIT) === OPEN_BRACE) this.depth++
    else return false
    return true
  }

  /**
   * Passes over the string that is open, and on to where so many brackets are open as `depth` says.
   *
   * @returns the index behind, or the end of the chunk
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

  /** Passes over all of the bytes. */
  skipAll(chunk: Buffer): void {
    this.skip(chunk, 0, Number.NEGATIVE_INFINITY)
  }

  /** Something that was opened has not been closed. */
  get isOpen(): boolean {
    return this.inString || this.depth > 0
  }

  /** Hops from quote to quote at the speed of a native search. @returns where the string ends, or the chunk does */
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
