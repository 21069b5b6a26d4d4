import { runInTurns } from '../scheduling/run-in-turns.js'
import { sharedTurns } from '../scheduling/turns.js'
import type { IncrementalTask } from '../util/incremental-task.js'

/** A body in memory. A long one that has been edited is in pieces, which share the memory of the client's bytes. */
export type BodyBytes = Buffer | readonly Buffer[]

/** Copying a MiB into memory that was never used takes up to five milliseconds. */
const SHORT_BYTES = 1024 * 1024
const COPIED_BYTES = 64 * 1024

/** Joins pieces if the copy is fast; otherwise returns them as they are. */
export function joinIfShort(pieces: readonly Buffer[]): BodyBytes {
  return byteLength(pieces) > SHORT_BYTES ? pieces : Buffer.concat(pieces)
}

/** Inserts bytes into others. */
export function inserted(bytes: Buffer, at: number, insertion: Buffer): BodyBytes {
  const length = bytes.length + insertion.length
  if (length > SHORT_BYTES) return [bytes.subarray(0, at), insertion, bytes.subarray(at)]
  const joined = Buffer.allocUnsafe(length)
  // All of them behind the place for the insertion, and once more those that belong before it: mostly a single one.
  joined.set(bytes, insertion.length)
  joined.set(bytes.subarray(0, at))
  joined.set(insertion, at)
  return joined
}

export function byteLength(bytes: BodyBytes): number {
  return isBuffer(bytes) ? bytes.length : bytes.reduce((length, piece) => length + piece.length, 0)
}

/** Returns whether a body is in memory, not a stream. */
export function isInMemory(body: object): body is BodyBytes {
  return Buffer.isBuffer(body) || Array.isArray(body)
}

/**
 * Joins pieces; a long body is copied in turns.
 *
 * @param isCancelled returns whether the copy is no longer needed
 */
export async function joinInTurns(pieces: readonly Buffer[], isCancelled?: () => boolean): Promise<Buffer> {
  return byteLength(pieces) > SHORT_BYTES
    ? runInTurns(copyPieces(pieces), sharedTurns(), isCancelled)
    : Buffer.concat(pieces)
}

function* copyPieces(pieces: readonly Buffer[]): IncrementalTask<Buffer> {
  const copy = Buffer.allocUnsafeSlow(byteLength(pieces))
  let at = 0
  for (const piece of pieces) {
    for (let from = 0; from < piece.length; from += COPIED_BYTES) {
      at += piece.copy(copy, at, from, from + COPIED_BYTES)
      yield
    }
  }
  return copy
}

/** Joins a body into one piece. */
export function join(bytes: BodyBytes): Buffer {
  return isBuffer(bytes) ? bytes : Buffer.concat(bytes)
}

function isBuffer(bytes: BodyBytes): bytes is Buffer {
  return Buffer.isBuffer(bytes)
}
