/** A body in memory: a long one that something was put into is in pieces, which share the memory of the client's. */
export type BodyBytes = Buffer | readonly Buffer[]

/** To copy a MiB into memory that was never used takes up to five milliseconds. */
const SHORT_BYTES = 1024 * 1024

/** One piece, if that is copied in no time. */
export function joinedIfShort(pieces: readonly Buffer[]): BodyBytes {
  return lengthOf(pieces) > SHORT_BYTES ? pieces : Buffer.concat(pieces)
}

export function lengthOf(bytes: BodyBytes): number {
  return isBuffer(bytes) ? bytes.length : bytes.reduce((length, piece) => length + piece.length, 0)
}

/** Whether a body is in memory, and not a stream. */
export function isInMemory(body: object): body is BodyBytes {
  return Buffer.isBuffer(body) || Array.isArray(body)
}

/** In one piece. */
export function joined(bytes: BodyBytes): Buffer {
  return isBuffer(bytes) ? bytes : Buffer.concat(bytes)
}

function isBuffer(bytes: BodyBytes): bytes is Buffer {
  return Buffer.isBuffer(bytes)
}
