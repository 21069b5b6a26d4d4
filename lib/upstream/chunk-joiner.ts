const CR = 13
const LF = 10

/** A size of more digits is left to the parser; this many are 4 GiB. */
const MAX_DIGITS = 8

/** The value of each byte as a hexadecimal digit; -1 where it is none. */
const DIGITS = new Int8Array(256).map((_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16)
  return Number.isNaN(value) ? -1 : value
})

/**
 * Takes HTTP's chunked transfer coding off a body (RFC 9112, 7.1): what comes in many chunks comes out as one piece.
 *
 * It knows plain chunks of at least a byte, and nothing else. What is not one of those, the last chunk above all, is for
 * the HTTP parser, which has not seen the chunks before it and stands where a chunk begins.
 */
export class ChunkJoiner {
  /** A chunk has come that is not plain: it, and all behind it, is left. */
  isDone = false
  /** A chunk was not followed by a line end: the body is broken. */
  isMalformed = false
  /** How much of the current chunk's data is to come, and how much of the line end behind it. */
  #dataBytes = 0
  #lineEndBytes = 0
  /** What has been read of the size line before it. */
  #size = 0
  #digits = 0
  #hasCR = false
  #remainder: Buffer | undefined

  /**
   * Moves the data of the chunks in `bytes` together, to the front of `bytes`.
   *
   * @returns how many bytes of data there are
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

  /** Where it is over: what is left of the bytes that came, from the chunk on that is not plain. */
  left(): Buffer {
    const remainder = this.#remainder
    if (!remainder) throw new Error('nothing is left before it is over')
    return remainder
  }

  /** @returns where the size line ends, or the bytes, or what is plain */
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

  /** What was read of a size line, as it came. */
  #sizeLine(): string {
    if (this.#digits === 0) return ''
    return this.#size.toString(16).padStart(this.#digits, '0') + (this.#hasCR ? '\r' : '')
  }
}
