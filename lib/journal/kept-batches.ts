import type { JournalBatch } from '../api/journal.js'
import { retain } from '../util/chunk-memory.js'
import { firstIndex } from '../util/first-index.js'
import { BLOCK_BYTES, type FreeBlocks } from './free-blocks.js'

/** How much of what an entry may keep one block has: its last one may be nearly empty. */
const BLOCK_SHARE = 1 / 8
/** Longer batches are kept as they are. */
const MAX_COPIED_BYTES = 2 * BLOCK_BYTES

/** Bytes that a block takes besides its memory, and the numbers of a batch and of an event in their lists, which grow by half. */
const COST = { block: 500, batch: 36, event: 12 }

/**
 * The batches of one entry, oldest first: copies in blocks of memory, because a part of another buffer would keep all of it.
 * Of a batch there are only numbers. An object for each, of a stream of an event each 20 ms, would cost more than all the rest
 * of it: V8 would have to move every one out of its young generation.
 */
export class KeptBatches {
  readonly #free: FreeBlocks
  readonly #maxBlock: number
  readonly #blocks: Block[] = []
  /** Number of bytes of events that were added so far. */
  #added = 0
  #isShared = false
  /** Number of batches. */
  length = 0
  /** Bytes of their events. */
  eventBytes = 0
  /** All that they cost in memory. */
  bytes = 0

  /** @param maxBytes what the entry keeps at most */
  constructor(free: FreeBlocks, maxBytes: number) {
    this.#free = free
    this.#maxBlock = Math.min(BLOCK_BYTES, maxBytes * BLOCK_SHARE)
  }

  /** Number of the oldest event; `undefined` if there is none. */
  get oldest(): number | undefined {
    return this.#blocks[0]?.oldest
  }

  /** Adds a batch after the others. */
  add(batch: JournalBatch): void {
    const { length } = batch.bytes
    this.#added += length
    this.eventBytes += length
    this.length++
    this.bytes += COST.batch + batch.ends.length * COST.event
    this.#blockFor(batch).add(batch)
  }

  /** Drops the oldest batch. */
  dropFirst(): void {
    const [block] = this.#blocks
    if (!block) return
    const { bytes, events } = block.dropFirst()
    this.eventBytes -= bytes
    this.length--
    this.bytes -= COST.batch + events * COST.event
    if (block.length > 0 || this.#blocks.length === 1) return
    this.#blocks.shift()
    this.#release(block)
  }

  /** Returns the batches that have what follows an event, up to about `maxBytes`. */
  following(after: number, maxBytes: number): JournalBatch[] {
    const found: JournalBatch[] = []
    let size = 0
    for (let at = firstIndex(this.#blocks.length, (index) => this.#blocks[index]!.newest > after); ; at++) {
      const block = this.#blocks[at]
      if (!block || size >= maxBytes) break
      for (let index = block.indexAfter(after); index < block.end && size < maxBytes; index++) {
        const batch = block.at(index)
        found.push(batch)
        size += batch.bytes.length
      }
    }
    // Somebody has parts of the memory, and may still send them.
    if (found.length > 0) this.#isShared = true
    return found
  }

  /** Nothing is kept any more. */
  close(): void {
    for (const block of this.#blocks.splice(0)) this.#release(block)
  }

  #blockFor({ first, bytes }: JournalBatch): Block {
    if (bytes.length > MAX_COPIED_BYTES) {
      retain(bytes)
      return this.#begin(bytes, first)
    }
    const last = this.#blocks.at(-1)
    if (last?.hasRoomFor(bytes.length, first)) return last
    return this.#begin(this.#free.take(Math.max(bytes.length, Math.min(this.#added, this.#maxBlock))), first)
  }

  #begin(memory: Buffer, first: number): Block {
    const block = new Block(memory, first)
    this.#blocks.push(block)
    this.bytes += COST.block + memory.length
    return block
  }

  #release({ memory }: Block): void {
    this.bytes -= COST.block + memory.length
    if (!this.#isShared) this.#free.give(memory)
  }
}

/** Batches that share their memory, and follow one another. */
class Block {
  readonly memory: Buffer
  /** Number of the first event that it has had. */
  readonly #first: number
  /** Where each event ends in the memory. */
  readonly #ends: number[] = []
  /** Of each batch, the number of events up to its end, where it ends in the memory, and its time. */
  readonly #events: number[] = []
  readonly #bytes: number[] = []
  readonly #times: number[] = []
  /** Batches before this index were dropped. */
  #from = 0

  constructor(memory: Buffer, first: number) {
    this.memory = memory
    this.#first = first
  }

  /** Index after the last batch. */
  get end(): number {
    return this.#times.length
  }

  get length(): number {
    return this.end - this.#from
  }

  get oldest(): number {
    return this.#first + this.#eventsBefore(this.#from)
  }

  get newest(): number {
    return this.#first + this.#ends.length - 1
  }

  /** @param first number of the next event to be added */
  hasRoomFor(size: number, first: number): boolean {
    return this.memory.length - this.#bytesBefore(this.end) >= size && first === this.newest + 1
  }

  add({ bytes, ends, at }: JournalBatch): void {
    const start = this.#bytesBefore(this.end)
    if (bytes !== this.memory) this.memory.set(bytes, start)
    for (const end of ends) this.#ends.push(start + end)
    this.#events.push(this.#ends.length)
    this.#bytes.push(start + bytes.length)
    this.#times.push(at)
  }

  /** @returns what the oldest batch had */
  dropFirst(): { readonly bytes: number; readonly events: number } {
    const at = this.#from++
    return {
      bytes: this.#bytes[at]! - this.#bytesBefore(at),
      events: this.#events[at]! - this.#eventsBefore(at),
    }
  }

  /** Index of the first batch that has something after an event. */
  indexAfter(after: number): number {
    const from = this.#from
    return from + firstIndex(this.length, (index) => this.#first + this.#events[from + index]! - 1 > after)
  }

  at(index: number): JournalBatch {
    const start = this.#bytesBefore(index)
    const before = this.#eventsBefore(index)
    return {
      first: this.#first + before,
      bytes: this.memory.subarray(start, this.#bytes[index]),
      ends: this.#ends.slice(before, this.#events[index]).map((end) => end - start),
      at: this.#times[index]!,
    }
  }

  #bytesBefore(index: number): number {
    return index === 0 ? 0 : this.#bytes[index - 1]!
  }

  #eventsBefore(index: number): number {
    return index === 0 ? 0 : this.#events[index - 1]!
  }
}
