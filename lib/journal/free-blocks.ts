import { CHUNK_BYTES } from '../util/chunk-memory.js'

/** What a turn writes usually fits. */
export const BLOCK_BYTES: number = CHUNK_BYTES
/** The first blocks of an entry are small: most answers are. */
const SIZES = [1024, 2048, 4096, 8192, 16_384, 32_768, BLOCK_BYTES, 2 * BLOCK_BYTES]

/**
 * Blocks that are used again. Memory that is new to the process costs more than the copy into it: the system has to
 * provide each page, and V8 collects its heap for each few megabytes.
 */
export class FreeBlocks {
  readonly #maxBytes: number
  /** By their size; the size that was wanted last is the last one. */
  readonly #blocks = new Map<number, Buffer[]>(SIZES.map((size) => [size, []]))
  #bytes = 0

  /** @param maxBytes how much memory waits to be used at most */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** @param size the least that it may have */
  take(size: number): Buffer {
    const fitting = SIZES.find((each) => each >= size) ?? size
    const blocks = this.#blocks.get(fitting)
    if (!blocks) return Buffer.allocUnsafeSlow(fitting)
    this.#blocks.delete(fitting)
    this.#blocks.set(fitting, blocks)
    const block = blocks.pop()
    if (block) this.#bytes -= fitting
    return block ?? Buffer.allocUnsafeSlow(fitting)
  }

  give(block: Buffer): void {
    const blocks = this.#blocks.get(block.length)
    if (!blocks) return
    for (const [size, others] of this.#blocks) {
      // What other sizes have goes first, and of them what was not wanted for longest.
      while (others !== blocks && others.length > 0 && this.#bytes + block.length > this.#maxBytes) {
        others.pop()
        this.#bytes -= size
      }
    }
    if (this.#bytes + block.length > this.#maxBytes) return
    blocks.push(block)
    this.#bytes += block.length
  }
}
