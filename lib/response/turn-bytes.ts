/** How much a stream's first turn reads at most. */
export const FIRST_TURN_BYTES = 16 * 1024

/** How much any turn reads at most, give or take the chunk that passes it. */
const MAX_TURN_BYTES = 64 * 1024

/** How much a turn may read even if the turns before it took too long. */
const MIN_TURN_BYTES = 512

/** After a turn that takes longer, the next one reads less. */
const LONG_TURN_MS = 2

/** What Node needs to read from the connection again after a turn, and to hand on each chunk that it parses out of it. */
const READ_MS = 0.05
const PARSE_MS_PER_CHUNK = 0.0015

/**
 * How much the next turn may read. A turn is bounded in bytes, and by what the last one took in time.
 *
 * @param most how much the last turn could read
 * @param taken how much it did read
 * @param ms how long it took
 */
export function nextTurnBytes(most: number, taken: number, ms: number): number {
  if (ms > LONG_TURN_MS && taken > 0) {
    // To no less than an eighth at a time: a garbage collection may have made the turn long.
    const bytes = Math.max((taken * LONG_TURN_MS) / 2 / ms, most / 8)
    return Math.max(MIN_TURN_BYTES, Math.floor(bytes))
  }
  return taken >= most ? Math.min(2 * most, MAX_TURN_BYTES) : most
}

/** The time that Node spends after a turn that set the connection going again, in milliseconds. */
export function readAheadMs(chunks: number): number {
  return READ_MS + PARSE_MS_PER_CHUNK * chunks
}
