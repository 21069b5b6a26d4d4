import type { JournalBatch } from '../api/journal.js'
import { firstIndex } from '../util/first-index.js'

/** Returns the batches that have what follows an event, up to about `maxBytes`. */
export function followingBatches(batches: readonly JournalBatch[], after: number, maxBytes: number): JournalBatch[] {
  const isPast = ({ first, ends }: JournalBatch) => first + ends.length - 1 > after
  const found: JournalBatch[] = []
  let at = firstIndex(batches.length, (index) => isPast(batches[index]!))
  for (let size = 0; at < batches.length && size < maxBytes; at++) {
    found.push(batches[at]!)
    size += batches[at]!.bytes.length
  }
  return found
}
