import { putInFront } from '../headroom.js'

// Small copies share Node's pool, and do not keep the much larger buffer alive that they were cut from.
const COPIED_UP_TO_BYTES = 4096

/** The beginning of a frame whose end has not come yet, in the pieces that it came in. */
export class Held {
  bytes = 0
  #pieces: Buffer[] = []

  /** Keeps one more piece. */
  hold(piece: Buffer): void {
    this.#pieces.push(piece.length <= COPIED_UP_TO_BYTES ? Buffer.from(piece) : piece)
    this.bytes += piece.length
  }

  /**
   * Joins chunks that have come. What is held is put in front, and is held no more, unless that would copy more than has
   * come: so a frame in many small chunks is not copied again for each of them.
   */
  joinedWith(chunks: readonly Buffer[]): Buffer {
    const size = sizeOf(chunks)
    if (this.bytes > 0 && this.bytes <= size) return this.#release(chunks, size)
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)
  }

  /** The same without exception: what is held is put in front, and is held no more. */
  allJoinedWith(chunks: readonly Buffer[]): Buffer {
    return this.bytes > 0 ? this.#release(chunks, sizeOf(chunks)) : this.joinedWith(chunks)
  }

  /** What is held, with its rest behind it; nothing is held then. */
  completedBy(rest: Buffer): Buffer {
    return this.bytes === 0 ? rest : this.#release([rest], rest.length)
  }

  #release(chunks: readonly Buffer[], size: number): Buffer {
    const whole =
      (chunks.length === 1 ? putInFront(this.#pieces, this.bytes, chunks[0]!) : undefined) ??
      Buffer.concat([...this.#pieces, ...chunks], this.bytes + size)
    this.#pieces = []
    this.bytes = 0
    return whole
  }
}

/** The bytes of chunks together. */
export function sizeOf(chunks: readonly Buffer[]): number {
  let size = 0
  for (const chunk of chunks) size += chunk.length
  return size
}
