/**
 * Room in front of a chunk, for the beginning of the frame that ends in it: what is held of a frame is put there, and
 * neither it nor the chunk is copied into a new buffer. Those large buffers are no small thing: V8 collects all of its
 * heap each time that so many megabytes of them were made.
 */

/** More than most events are long, and less than a tenth of what one read brings. */
const HEADROOM_BYTES = 4096

const HEADROOM = Symbol('room')

interface BufferWithHeadroom extends Buffer {
  /** How many bytes in front of it are its own, and free. */
  [HEADROOM]?: number
}

/** A copy of the bytes, with room in front. */
export function copyWithHeadroom(bytes: Buffer): Buffer {
  const memory = Buffer.allocUnsafeSlow(HEADROOM_BYTES + bytes.length)
  const copy: BufferWithHeadroom = memory.subarray(HEADROOM_BYTES)
  copy.set(bytes)
  copy[HEADROOM] = HEADROOM_BYTES
  return copy
}

/**
 * Puts pieces of `size` bytes together in front of a chunk.
 *
 * @returns both, in the chunk's own memory; `undefined` where the chunk has not so much room
 */
export function prependInPlace(pieces: readonly Buffer[], size: number, chunk: Buffer): Buffer | undefined {
  const room = (chunk as BufferWithHeadroom)[HEADROOM]
  if (room === undefined || room < size)
    return undefined
    // Room is used once: what is behind it belongs to the whole from now on.
  ;(chunk as BufferWithHeadroom)[HEADROOM] = 0
  const whole = Buffer.from(chunk.buffer as ArrayBuffer, chunk.byteOffset - size, size + chunk.length)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
