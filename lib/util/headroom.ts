/**
 * Headroom is free memory in front of a chunk. The pending beginning of the frame that ends in the chunk is copied
 * there, so that neither is copied into a new buffer. Large buffers are expensive: V8 collects its whole heap each time
 * a certain number of megabytes of them has been allocated.
 */

/** More than most events have, and less than a tenth of what one read returns. */
const HEADROOM_BYTES = 4096

const HEADROOM = Symbol('room')

interface BufferWithHeadroom extends Buffer {
  /** Number of free bytes in front that belong to this buffer. */
  [HEADROOM]?: number
}

/** Copies bytes into a buffer with headroom. */
export function copyWithHeadroom(bytes: Buffer): Buffer {
  const memory = Buffer.allocUnsafeSlow(HEADROOM_BYTES + bytes.length)
  const copy: BufferWithHeadroom = memory.subarray(HEADROOM_BYTES)
  copy.set(bytes)
  copy[HEADROOM] = HEADROOM_BYTES
  return copy
}

/**
 * Copies pieces of `size` bytes in total into a chunk's headroom. Headroom can be used once: afterwards the memory
 * belongs to the result.
 *
 * @returns the pieces and the chunk, in the chunk's own memory; `undefined` if its headroom is too small
 */
export function prependInPlace(pieces: readonly Buffer[], size: number, chunk: Buffer): Buffer | undefined {
  const room = (chunk as BufferWithHeadroom)[HEADROOM]
  if (room === undefined || room < size) return undefined
  ;(chunk as BufferWithHeadroom)[HEADROOM] = 0
  const whole = Buffer.from(chunk.buffer as ArrayBuffer, chunk.byteOffset - size, size + chunk.length)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
