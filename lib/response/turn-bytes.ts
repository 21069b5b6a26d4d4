import { sizeOf } from '../util/size-of.js'

/** Maximum number of bytes for a stream's first turn. */
export const FIRST_TURN_BYTES = 16 * 1024

/** Maximum number of bytes for any turn, give or take the chunk that exceeds it. */
const MAX_TURN_BYTES = 64 * 1024

/** Number of bytes that a turn may always read, even if the turns before it took too long. */
const MIN_TURN_BYTES = 512

/** After a turn that takes longer, the next one reads less. */
const LONG_TURN_MS = 2

/** Time that Node needs to read from the connection again after a turn, and to emit each chunk that it parses. */
const READ_MS = 0.05
const PARSE_MS_PER_CHUNK = 0.0015

/**
 * Returns how much the next turn may read. A turn is limited in bytes, and by how long the last one took.
 *
 * @param maxBytes how much the last turn could read
 * @param taken how much it did read
 * @param ms how long it took
 */
export function nextTurnBytes(maxBytes: number, taken: number, ms: number): number {
  if (ms > LONG_TURN_MS && taken > 0) {
    // Reduce to no less than an eighth at a time: a garbage collection may have prolonged the turn.
    const bytes = Math.max((taken * LONG_TURN_MS) / 2 / ms, maxBytes / 8)
    return Math.max(MIN_TURN_BYTES, Math.floor(bytes))
  }
  return taken >= maxBytes ? Math.min(2 * maxBytes, MAX_TURN_BYTES) : maxBytes
}

/** How much the turns of one stream read. */
export class TurnSize {
  /** Maximum number of bytes for the next turn. */
  maxBytes = FIRST_TURN_BYTES
  /** Number of bytes, and of chunks, that the last turn read. */
  #taken = 0
  #chunks = 0

  /** A turn begins, which may read nothing. */
  reset(): void {
    this.#taken = this.#chunks = 0
  }

  /** Notes what a turn has read. @returns its number of bytes */
  take(chunks: readonly Buffer[]): number {
    this.#chunks = chunks.length
    this.#taken = sizeOf(chunks)
    return this.#taken
  }

  /** @param ms how long the turn took */
  adjust(ms: number): void {
    this.maxBytes = nextTurnBytes(this.maxBytes, this.#taken, ms)
  }

  /** The time that Node spends after a turn that resumed the connection, in milliseconds. */
  get readAheadMs(): number {
    return READ_MS + PARSE_MS_PER_CHUNK * this.#chunks
  }
}
