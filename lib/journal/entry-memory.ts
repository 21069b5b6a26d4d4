import { CHUNK_BYTES, retain } from '../util/chunk-memory.js'

/** What a turn writes usually fits. */
const BLOCK_BYTES = CHUNK_BYTES
/** The first blocks of an entry are small: most answers are. */
const SIZES = [1024, 2048, 4096, 8192, 16_384, 32_768, BLOCK_BYTES, 2 * BLOCK_BYTES]
/** How much of what an entry may keep one block has: its last one may be nearly empty. */
const BLOCK_SHARE = 1 / 8
/** Longer batches are kept as they are. */
const MAX_COPIED_BYTES = 2 * BLOCK_BYTES

interface Block {
  readonly memory: Buffer
  used: number
  /** Batches in it that are still kept. */
  batches: number
}

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

/** The memory of one entry's events: copies, because a part of another buffer would keep all of it. */
export class EntryMemory {
  readonly #free: FreeBlocks
  readonly #maxBlock: number
  readonly #blocks: Block[] = []
  /** Number of bytes that were kept so far. */
  #kept = 0
  #bytes = 0
  #isShared = false

  /** @param maxBytes what the entry keeps at most */
  constructor(free: FreeBlocks, maxBytes: number) {
    this.#free = free
    this.#maxBlock = Math.min(BLOCK_BYTES, maxBytes * BLOCK_SHARE)
  }

  /** Number of bytes that its blocks have, used or not. */
  get bytes(): number {
    return this.#bytes
  }

  /** Copies a batch to the end of those before it. */
  keep(bytes: Buffer): Buffer {
    this.#kept += bytes.length
    if (bytes.length > MAX_COPIED_BYTES) {
      retain(bytes)
      this.#add({ memory: bytes, used: bytes.length, batches: 1 })
      return bytes
    }
    const block = this.#blockFor(bytes.length)
    const start = block.used
    block.memory.set(bytes, start)
    block.used += bytes.length
    block.batches++
    return block.memory.subarray(start, block.used)
  }

  /** The oldest batch is not kept any more. */
  dropFirst(): void {
    const [first] = this.#blocks
    if (!first) return
    first.batches--
    if (first.batches > 0 || this.#blocks.length === 1) return
    this.#blocks.shift()
    this.#release(first)
  }

  /** Somebody has parts of it, and may still send them. */
  share(): void {
    this.#isShared = true
  }

  /** Nothing is kept any more. */
  close(): void {
    for (const block of this.#blocks.splice(0)) this.#release(block)
  }

  #blockFor(size: number): Block {
    const last = this.#blocks.at(-1)
    if (last && last.memory.length - last.used >= size) return last
    const memory = this.#free.take(Math.max(size, Math.min(this.#kept, this.#maxBlock)))
    return this.#add({ memory, used: 0, batches: 0 })
  }

  #add(block: Block): Block {
    this.#blocks.push(block)
    this.#bytes += block.memory.length
    return block
  }

  #release({ memory }: Block): void {
    this.#bytes -= memory.length
    if (!this.#isShared) this.#free.give(memory)
  }
}
