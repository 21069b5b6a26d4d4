import { joinChunks, prependInPlace, retain } from '../util/chunk-memory.js'
import { sizeOf } from '../util/size-of.js'

// Small copies share Node's pool, and do not keep alive the much larger buffer that they were cut from.
const MAX_COPIED_BYTES = 4096

/**
 * Further small pieces are copied into blocks of up to this many bytes: a buffer for each would take much more memory.
 */
const BLOCK_BYTES = { least: 4096, most: 64 * 1024 }

/** The beginning of a frame that is not complete, in the pieces that it arrived in. */
export class PendingBytes {
  bytes = 0
  #pieces: Buffer[] = []
  /** Memory of the last piece, and how much of it is used; `undefined` if no further piece can be copied into it. */
  #block: Buffer | undefined
  #used = 0

  /** The pending pieces, in order. */
  get pieces(): readonly Buffer[] {
    return this.#pieces
  }

  /** All of them, joined. */
  get joined(): Buffer {
    return this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.bytes)
  }

  append(piece: Buffer): void {
    if (piece.length > MAX_COPIED_BYTES) this.#keep(piece)
    else if (this.#pieces.length === 0) this.#push(Buffer.from(piece))
    else this.#copy(piece)
    this.bytes += piece.length
  }

  #keep(piece: Buffer): void {
    retain(piece)
    this.#push(piece)
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
   * Joins chunks. The pending bytes are prepended and released, unless that would copy more bytes than the chunks have,
   * so that a frame in many small chunks is not copied again for each of them.
   */
  joinWith(chunks: readonly Buffer[]): Buffer {
    const size = sizeOf(chunks)
    if (this.bytes > 0 && this.bytes <= size) return this.#release(chunks, size)
    return chunks.length === 1 ? chunks[0]! : joinChunks(chunks, size)
  }

  /** Joins chunks like `joinWith`, but always prepends and releases the pending bytes. */
  joinAllWith(chunks: readonly Buffer[]): Buffer {
    return this.bytes > 0 ? this.#release(chunks, sizeOf(chunks)) : this.joinWith(chunks)
  }

  /** Returns the pending bytes followed by `rest`, and releases them. */
  concatWith(rest: Buffer): Buffer {
    return this.bytes === 0 ? rest : this.#release([rest], rest.length)
  }

  /** Returns the pending pieces as they are, and releases them. */
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
    const chunk = chunks.length === 1 ? chunks[0]! : joinChunks(chunks, size)
    return prependInPlace(pieces, bytes, chunk) ?? Buffer.concat([...pieces, chunk], bytes + size)
  }
}
