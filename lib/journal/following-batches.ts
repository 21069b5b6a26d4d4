import type { JournalBatch } from '../api/journal.js'

/** Returns the batches that have what follows an event, up to about `maxBytes`. */
export function followingBatches(batches: readonly JournalBatch[], after: number, maxBytes: number): JournalBatch[] {
  let low = 0
  let high = batches.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const { first, ends } = batches[middle]!
    if (first + ends.length - 1 > after) high = middle
    else low = middle + 1
  }
  const found: JournalBatch[] = []
  for (let size = 0; low < batches.length && size < maxBytes; low++) {
    found.push(batches[low]!)
    size += batches[low]!.bytes.length
  }
  return found
}
