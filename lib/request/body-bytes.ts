import { runInTurns } from '../scheduling/run-in-turns.js'
import { sharedTurns } from '../scheduling/turns.js'
import type { IncrementalTask } from '../util/incremental-task.js'

/** A body in memory: a long one that something was put into is in pieces, which share the memory of the client's. */
export type BodyBytes = Buffer | readonly Buffer[]

/** To copy a MiB into memory that was never used takes up to five milliseconds. */
const SHORT_BYTES = 1024 * 1024
const COPIED_BYTES = 64 * 1024

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

/**
 * In one piece, which is copied in turns if it is long.
 *
 * @param isUnneeded says when the copying can be given up
 */
export async function inOnePiece(pieces: readonly Buffer[], isUnneeded?: () => boolean): Promise<Buffer> {
  return lengthOf(pieces) > SHORT_BYTES ? runInTurns(copied(pieces), sharedTurns(), isUnneeded) : Buffer.concat(pieces)
}

function* copied(pieces: readonly Buffer[]): IncrementalTask<Buffer> {
  const copy = Buffer.allocUnsafeSlow(lengthOf(pieces))
  let at = 0
  for (const piece of pieces) {
    for (let from = 0; from < piece.length; from += COPIED_BYTES) {
      at += piece.copy(copy, at, from, from + COPIED_BYTES)
      yield
    }
  }
  return copy
}

/** In one piece. */
export function joined(bytes: BodyBytes): Buffer {
  return isBuffer(bytes) ? bytes : Buffer.concat(bytes)
}

function isBuffer(bytes: BodyBytes): bytes is Buffer {
  return Buffer.isBuffer(bytes)
}
