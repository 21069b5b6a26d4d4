/** A stream says in its last frames why it ended. */
const KEPT_FRAMES = 4

interface Piece {
  readonly bytes: Buffer
  readonly ends: readonly number[]
}

/** The last frames of a stream. */
export class Tail {
  #pieces: Piece[] = []

  keep(frames: Buffer, ends: readonly number[]): void {
    const count = ends.length
    if (count === 0) return
    if (count < KEPT_FRAMES) {
      this.#pieces.push({ bytes: frames, ends })
      if (this.#pieces.length > KEPT_FRAMES) this.#pieces.shift()
      return
    }
    // A copy, which does not keep alive the much larger buffer around it.
    const start = ends[count - KEPT_FRAMES - 1] ?? 0
    const bytes = Buffer.from(frames.subarray(start))
    this.#pieces = [{ bytes, ends: ends.slice(-KEPT_FRAMES).map((end) => end - start) }]
  }

  /** They are handed out once. */
  frames(): Buffer[] {
    const pieces = this.#pieces
    this.#pieces = []
    const all = pieces.flatMap(({ bytes, ends }) => ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end)))
    return all.slice(-KEPT_FRAMES)
  }
}
