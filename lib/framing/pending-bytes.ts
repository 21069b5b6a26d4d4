import { prependInPlace } from '../util/headroom.js'

// Small copies share Node's pool, and do not keep the much larger buffer alive that they were cut from.
const MAX_COPIED_BYTES = 4096

/** Further small pieces are copied into blocks of up to so many bytes: a buffer for each would take much more memory. */
const BLOCK_BYTES = { least: 4096, most: 64 * 1024 }

/** The beginning of a frame whose end has not come yet, in the pieces that it came in. */
export class PendingBytes {
  bytes = 0
  #pieces: Buffer[] = []
  /** The memory of the last piece, and what of it is used; none if no further piece can be copied into it. */
  #block: Buffer | undefined
  #used = 0

  /** What is held, in order. */
  get pieces(): readonly Buffer[] {
    return this.#pieces
  }

  /** Keeps one more piece. */
  append(piece: Buffer): void {
    if (piece.length > MAX_COPIED_BYTES) this.#push(piece)
    else if (this.#pieces.length === 0) this.#push(Buffer.from(piece))
    else this.#copy(piece)
    this.bytes += piece.length
  }

  #push(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#block = undefined
  }

  #copy(piece: Buffer): void {
    if (!this.#block || this.#block.length - this.#used < piece.length) {
      const { least, most } = BLOCK_BYTES
      this.#push(piece)
      this.#block = Buffer.allocUnsafeSlow(Math.min(Math.max(least, this.bytes), most))
      this.#used = 0
    }
    this.#block.set(piece, this.#used)
    this.#used += piece.length
    this.#pieces[this.#pieces.length - 1] = this.#block.subarray(0, this.#used)
  }

  /**
   * Joins chunks that have come. What is held is put in front, and is held no more, unless that would copy more than has
   * come: so a frame in many small chunks is not copied again for each of them.
   */
  joinWith(chunks: readonly Buffer[]): Buffer {
    const size = sizeOf(chunks)
    if (this.bytes > 0 && this.bytes <= size) return this.#release(chunks, size)
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)
  }

  /** The same without exception: what is held is put in front, and is held no more. */
  joinAllWith(chunks: readonly Buffer[]): Buffer {
    return this.bytes > 0 ? this.#release(chunks, sizeOf(chunks)) : this.joinWith(chunks)
  }

  /** What is held, with its rest behind it; nothing is held then. */
  concatWith(rest: Buffer): Buffer {
    return this.bytes === 0 ? rest : this.#release([rest], rest.length)
  }

  /** What is held, as it is; nothing is held then. */
  drain(): Buffer[] {
    const pieces = this.#pieces
    this.#pieces = []
    this.#block = undefined
    this.bytes = 0
    return pieces
  }

  #release(chunks: readonly Buffer[], size: number): Buffer {
    const { bytes } = this
    const pieces = this.drain()
    return (
      (chunks.length === 1 ? prependInPlace(pieces, bytes, chunks[0]!) : undefined) ??
      Buffer.concat([...pieces, ...chunks], bytes + size)
    )
  }
}

/** The bytes of chunks together. */
export function sizeOf(chunks: readonly Buffer[]): number {
  let size = 0
  for (const chunk of chunks) size += chunk.length
  return size
}
