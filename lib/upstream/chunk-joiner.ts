const CR = 13
const LF = 10

/** A size with more digits is left to the parser; this many are 4 GiB. */
const MAX_DIGITS = 8

/** The value of each byte as a hexadecimal digit, or -1. */
const DIGITS = new Int8Array(256).map((_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16)
  return Number.isNaN(value) ? -1 : value
})

/**
 * Decodes HTTP's chunked transfer coding (RFC 9112, 7.1), and joins many chunks into one piece.
 *
 * It handles only plain chunks of at least one byte. Anything else, above all the last chunk, is left to the HTTP
 * parser, which has not seen the chunks before it and expects the start of a chunk.
 */
export class ChunkJoiner {
  /** A chunk that is not plain has arrived: it, and everything after it, is left to the parser. */
  isDone = false
  /** A chunk was not followed by a line end, so the body is malformed. */
  isMalformed = false
  /** Bytes missing from the current chunk's data, and from the line end after it. */
  #dataBytes = 0
  #lineEndBytes = 0
  /** What has been read of the size line. */
  #size = 0
  #digits = 0
  #hasCR = false
  #remainder: Buffer | undefined

  /**
   * Moves the data of the chunks in `bytes` to the front of `bytes`.
   *
   * @returns the number of bytes of data
   */
  join(bytes: Buffer): number {
    const end = bytes.length
    let from = 0
    let to = 0
    while (from < end && !this.isDone && !this.isMalformed) {
      if (this.#dataBytes > 0) {
        const count = Math.min(this.#dataBytes, end - from)
        bytes.copyWithin(to, from, from + count)
        to += count
        from += count
        this.#dataBytes -= count
      } else if (this.#lineEndBytes > 0) {
        this.isMalformed = bytes[from++] !== (this.#lineEndBytes-- === 2 ? CR : LF)
      } else {
        from = this.#readSize(bytes, from)
      }
    }
    if (this.isDone) this.#remainder = Buffer.concat([Buffer.from(this.#sizeLine()), bytes.subarray(from)])
    return to
  }

  /** Returns the bytes from the first chunk on that is not plain, once `isDone`. */
  left(): Buffer {
    const remainder = this.#remainder
    if (!remainder) throw new Error('nothing is left before it is over')
    return remainder
  }

  /** @returns the index after the size line, or where the bytes or the plain part end */
  #readSize(bytes: Buffer, from: number): number {
    let at = from
    for (; at < bytes.length; at++) {
      const byte = bytes[at]!
      const digit = DIGITS[byte]!
      if (digit >= 0 && !this.#hasCR && this.#digits < MAX_DIGITS) {
        this.#size = this.#size * 16 + digit
        this.#digits++
      } else if (byte === CR && this.#digits > 0 && !this.#hasCR) {
        this.#hasCR = true
      } else if (byte === LF && this.#hasCR && this.#size > 0) {
        this.#dataBytes = this.#size
        this.#lineEndBytes = 2
        this.#size = this.#digits = 0
        this.#hasCR = false
        return at + 1
      } else {
        this.isDone = true
        return at
      }
    }
    return at
  }

  /** Rebuilds the part of a size line that was read. */
  #sizeLine(): string {
    if (this.#digits === 0) return ''
    return this.#size.toString(16).padStart(this.#digits, '0') + (this.#hasCR ? '\r' : '')
  }
}
