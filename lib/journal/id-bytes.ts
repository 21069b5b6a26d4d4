import type { JournalBatch } from '../api/journal.js'
import { withIdLines } from './id-lines.js'

/** Batches whose bytes with ids are remembered: many readers of one answer need the same at about the same moment. */
const REMEMBERED = 16

interface WithIds {
  readonly batch: JournalBatch
  readonly prefix: Buffer
  readonly bytes: Buffer
}

const recent: WithIds[] = []
let next = 0

/** Returns the bytes of a whole batch with their ids. Readers of one entry share them. */
export function idBytesOf(batch: JournalBatch, prefix: Buffer): Buffer {
  for (const each of recent) if (isSame(each.batch, batch) && each.prefix.equals(prefix)) return each.bytes
  const bytes = withIdLines(batch.bytes, batch.ends, prefix, batch.first)
  recent[next] = { batch, prefix, bytes }
  next = (next + 1) % REMEMBERED
  return bytes
}

/** Whether two batches are the same events in the same memory: each reader may have objects of its own. */
function isSame(a: JournalBatch, b: JournalBatch): boolean {
  const { buffer, byteOffset, length } = b.bytes
  const isSameMemory = a.bytes.buffer === buffer && a.bytes.byteOffset === byteOffset && a.bytes.length === length
  return isSameMemory && a.first === b.first && a.ends.length === b.ends.length
}

/** Returns the part of a batch from an event on. */
export function batchFrom(batch: JournalBatch, first: number): JournalBatch {
  const skipped = first - batch.first
  if (skipped <= 0) return batch
  const start = batch.ends[skipped - 1]!
  return {
    ...batch,
    first,
    bytes: batch.bytes.subarray(start),
    ends: batch.ends.slice(skipped).map((end) => end - start),
  }
}

/** Returns the events of a batch that are chosen, in one piece or several: those of a piece follow each other. */
export function selected(batch: JournalBatch, isChosen: (event: Buffer) => boolean): readonly JournalBatch[] {
  const pieces: JournalBatch[] = []
  const last = batch.first + batch.ends.length - 1
  let first = batch.first
  for (let at = 0; at < batch.ends.length; at++) {
    if (isChosen(batch.bytes.subarray(at === 0 ? 0 : batch.ends[at - 1], batch.ends[at]))) continue
    const number = batch.first + at
    if (number > first) pieces.push(batchUpTo(batchFrom(batch, first), number - 1))
    first = number + 1
  }
  if (first <= last) pieces.push(batchFrom(batch, first))
  return pieces
}

/** Returns the part of a batch up to an event, with it. */
export function batchUpTo(batch: JournalBatch, last: number): JournalBatch {
  const count = last - batch.first + 1
  if (count >= batch.ends.length) return batch
  const ends = batch.ends.slice(0, count)
  return { ...batch, bytes: batch.bytes.subarray(0, ends.at(-1) ?? 0), ends }
}
