import type { JournalBatch, JournalWriterCallbacks, NewJournalEntry } from '../../lib/api/journal.js'
import { within } from '../e2e/support/waiting.js'

/** Returns a batch of events, from their texts. */
export function batchOf(first: number, ...events: (string | Buffer)[]): JournalBatch {
  const parts = events.map((event) => Buffer.from(event))
  let end = 0
  const ends = parts.map((part) => {
    end += part.length
    return end
  })
  return { first, bytes: Buffer.concat(parts), ends, at: first * 10 }
}

/** Returns a new entry that keeps much for long, unless told otherwise. */
export function entryOf(id: string, more: Partial<NewJournalEntry> = {}): NewJournalEntry {
  return { id, about: `{"id":"${id}"}`, maxBytes: 1e6, trims: false, keepMs: 60_000, ...more }
}

/** What a writer was told. */
export class Told implements JournalWriterCallbacks {
  stops = 0
  readers = 0
  readonly failures: unknown[] = []
  /** Called after each of them. */
  onAny: () => unknown = () => {}

  /** Waits until something holds that a writer is told of. */
  until(isSo: () => boolean, what: string): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.onAny = () => isSo() && resolve()
      this.onAny()
    })
    return within(reached, what)
  }

  onStop(): void {
    this.stops++
    this.onAny()
  }

  onReaders(): void {
    this.readers++
    this.onAny()
  }

  onFailure(error: unknown): void {
    this.failures.push(error)
    this.onAny()
  }
}

/** Returns the texts of the events after one, by their numbers. */
export function eventsAfter(batches: readonly JournalBatch[], after: number): Record<number, string> {
  const events: Record<number, string> = {}
  for (const { first, bytes, ends } of batches) {
    for (const [at, end] of ends.entries()) {
      if (first + at > after) events[first + at] = bytes.toString('latin1', at === 0 ? 0 : ends[at - 1]!, end)
    }
  }
  return events
}
