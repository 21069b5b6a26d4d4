import type { Framing } from '../framing/index.js'
import { sizeOf } from '../util/size-of.js'
import { JsonDigest } from './digest.js'

/** Minimum scanned in one turn: more than arrived in it, because the bytes before it are waiting as well. */
const MIN_BYTES_PER_TURN = 8 * 1024

/**
 * A frame that is too large to be joined and parsed: a picture, or the whole answer repeated. A digest of its data is
 * made while its pieces arrive.
 */
export class LargeFrame {
  readonly #framing: Framing
  readonly #digest = new JsonDigest(undefined)
  /** Number of bytes scanned so far. */
  #scannedBytes = 0
  /** Number of bytes that had arrived at the last turn. */
  #availableBytes: number | undefined

  constructor(framing: Framing) {
    this.#framing = framing
  }

  /**
   * Scans the pieces that have arrived so far, continuing after what was scanned before.
   *
   * @param isComplete whether nothing more follows; until then only as much is scanned as one turn allows
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

  /** Scans the next bytes. */
  push(bytes: Buffer): void {
    const start = this.#scannedBytes === 0 ? (this.#framing.dataStart?.(bytes) ?? 0) : 0
    this.#scannedBytes += bytes.length
    this.#digest.push(bytes.subarray(start))
  }

  /** The data without its bulk; `undefined` if it is not a JSON object, or is incomplete. */
  get data(): unknown {
    return this.#digest.value
  }
}

/** Digests the data of a frame that is too expensive to parse. */
export function digestFrame(frame: Buffer, framing: Framing): unknown {
  const large = new LargeFrame(framing)
  large.push(frame)
  return large.data
}
