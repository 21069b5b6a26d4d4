import type { HeldShare } from '../exchange/held-bytes.js'
import type { IncrementalTask } from '../util/incremental-task.js'

const KIB = 1024
const FIRST_BLOCK_BYTES = 16 * KIB
const BLOCK_BYTES = 64 * KIB

/** The system takes milliseconds to provide a MiB of memory that was never used. */
const MAX_JOINED_BYTES = 256 * KIB

/**
 * Collects a body as it arrives. One object per chunk would cost hundreds of bytes for a chunk of one byte, so chunks
 * are copied into blocks. A body that arrives in one chunk, as most do, is not copied.
 */
export class Blocks {
  /** Bytes so far. */
  size = 0
  readonly #share: HeldShare
  #only: Buffer | undefined
  #full: Buffer[] = []
  #last: Buffer | undefined
  /** Bytes in the last block. */
  #used = 0
  #counted = 0

  /** @param share accounts for the memory of the blocks */
  constructor(share: HeldShare) {
    this.#share = share
  }

  /** @throws AiProxyError `held_bytes_exceeded` */
  push(chunk: Buffer): void {
    if (this.size === 0) {
      this.#count(chunk.length)
      this.#only = chunk
    } else {
      const only = this.#only
      this.#only = undefined
      if (only) {
        this.#copy(only)
        this.#uncount(only.length)
      }
      this.#copy(chunk)
    }
    this.size += chunk.length
  }

  /** Joins all bytes. The blocks are empty afterwards, and the share accounts for the joined bytes. */
  *join(): IncrementalTask<Buffer> {
    if (this.#only) return this.#only
    const joined = Buffer.allocUnsafeSlow(this.size)
    const blocks = this.#last ? [...this.#full, this.#last] : this.#full
    this.#full = []
    this.#last = undefined
    let at = 0
    for (const [index, block] of blocks.entries()) {
      at += block.copy(joined, at)
      blocks[index] = NONE
      if (this.size > MAX_JOINED_BYTES) yield
    }
    this.#uncount(this.#counted - this.size)
    return joined
  }

  /** Releases all bytes. */
  release(): void {
    this.#uncount(this.#counted)
    this.#only = this.#last = undefined
    this.#full = []
    this.size = 0
  }

  #copy(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (!this.#last || this.#used === this.#last.length) this.#begin()
      const copied = chunk.copy(this.#last!, this.#used, at)
      this.#used += copied
      at += copied
    }
  }

  #begin(): void {
    const bytes = this.#last ? BLOCK_BYTES : FIRST_BLOCK_BYTES
    this.#count(bytes)
    if (this.#last) this.#full.push(this.#last)
    // Not from Node's pool, which one small piece would keep alive.
    this.#last = Buffer.allocUnsafeSlow(bytes)
    this.#used = 0
  }

  #count(bytes: number): void {
    this.#share.add(bytes)
    this.#counted += bytes
  }

  #uncount(bytes: number): void {
    this.#share.remove(bytes)
    this.#counted -= bytes
  }
}

const NONE = Buffer.alloc(0)
