import { type Framing, sizeOf } from '../framing/index.js'
import { JsonDigest } from './digest.js'

/** So many bytes at least are looked through in one turn, and more than came in it: what came before waits as well. */
const MIN_BYTES_PER_TURN = 8 * 1024

/**
 * A frame that is too large to be joined and parsed: a picture, or all of an answer again. A digest of its data is made
 * while its pieces come.
 */
export class LargeFrame {
  readonly #framing: Framing
  readonly #digest = new JsonDigest(undefined)
  /** Bytes that were looked through. */
  #scannedBytes = 0
  /** How many there were at the last turn. */
  #availableBytes: number | undefined

  constructor(framing: Framing) {
    this.#framing = framing
  }

  /**
   * Takes all that has come so far, in pieces; what was looked through before is passed over.
   *
   * @param isComplete nothing more comes; until then as much is looked through as one turn may
   */
  advance(pieces: readonly Buffer[], isComplete: boolean): void {
    const all = sizeOf(pieces)
    const fresh = all - (this.#availableBytes ?? all)
    this.#availableBytes = all
    const most = isComplete ? Number.POSITIVE_INFINITY : this.#scannedBytes + Math.max(MIN_BYTES_PER_TURN, 2 * fresh)
    let end = 0
    for (const piece of pieces) {
      end += piece.length
      const left = end - this.#scannedBytes
      if (this.#scannedBytes >= most) return
      if (left > 0) this.push(left >= piece.length ? piece : piece.subarray(piece.length - left))
    }
  }

  /** Takes the bytes that come next. */
  push(bytes: Buffer): void {
    const start = this.#scannedBytes === 0 ? (this.#framing.dataStart?.(bytes) ?? 0) : 0
    this.#scannedBytes += bytes.length
    this.#digest.push(bytes.subarray(start))
  }

  /** Its data, without what makes it large; `undefined` if it is no JSON object, or has not come whole. */
  get data(): unknown {
    return this.#digest.value
  }
}

/** The data of a frame that takes too long to be parsed, as that of a large one. */
export function digestFrame(frame: Buffer, framing: Framing): unknown {
  const large = new LargeFrame(framing)
  large.push(frame)
  return large.data
}
