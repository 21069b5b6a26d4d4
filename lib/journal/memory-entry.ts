import type {
  JournalBatch,
  JournalEnd,
  JournalHead,
  JournalPage,
  JournalWriter,
  JournalWriterCallbacks,
  NewJournalEntry,
} from '../api/journal.js'
import type { FreeBlocks } from './free-blocks.js'
import { KeptBatches } from './kept-batches.js'

/** Bytes that an entry takes besides what it keeps. */
const ENTRY_BYTES = 1500

/** What an entry needs of its journal. */
interface EntryContext {
  readonly free: FreeBlocks
  now(): number
  onBytes(count: number): void
  onEnd(entry: MemoryEntry): void
  onDrop(): void
}

/** One entry, which is its own writer. */
export class MemoryEntry implements JournalWriter {
  readonly copiesBytes = true
  readonly id: string
  /** Those of who writes, with all that it holds: released when it has ended, because entries stay for minutes. */
  callbacks: JournalWriterCallbacks | undefined
  /** All the memory that it takes. */
  bytes: number
  expiresAt = Number.POSITIVE_INFINITY
  readonly #entry: NewJournalEntry
  readonly #context: EntryContext
  readonly #watchers = new Set<() => void>()
  #head: JournalHead | undefined
  #end: JournalEnd | undefined
  #newest = 0
  readonly #batches: KeptBatches
  #isClosed = false
  #isDiscarded = false

  constructor(entry: NewJournalEntry, callbacks: JournalWriterCallbacks, context: EntryContext) {
    this.id = entry.id
    this.bytes = ENTRY_BYTES + entry.about.length
    this.#entry = entry
    this.callbacks = callbacks
    this.#context = context
    this.#batches = new KeptBatches(context.free, entry.maxBytes)
  }

  get readers(): number {
    return this.#watchers.size
  }

  get hasEnded(): boolean {
    return this.#end !== undefined
  }

  setHead(head: JournalHead): void {
    if (this.#isClosed || this.#end) return
    const before = this.#head ? JSON.stringify(this.#head).length : 0
    this.#head = head
    this.#count(JSON.stringify(head).length - before)
    this.#notify()
  }

  append(batch: JournalBatch): void {
    if (this.#isClosed || this.#end) return
    const batches = this.#batches
    const before = batches.bytes
    batches.add(batch)
    this.#newest = batch.first + batch.ends.length - 1
    const { maxBytes, trims } = this.#entry
    if (batches.eventBytes > maxBytes && !trims) return this.#context.onDrop()
    // The newest batch stays, however long it is.
    while (batches.eventBytes > maxBytes && batches.length > 1) batches.dropFirst()
    this.#count(batches.bytes - before)
    this.#notify()
  }

  end(end: JournalEnd): void {
    if (this.#isClosed || this.#end) return
    this.#end = end
    this.callbacks = undefined
    this.expiresAt = this.#context.now() + this.#entry.keepMs
    this.#context.onEnd(this)
    this.#count(end.about.length)
    this.#notify()
  }

  discard(): void {
    this.#isDiscarded = true
    this.#context.onDrop()
  }

  read(after: number, maxBytes: number): JournalPage {
    return {
      state: this.#end ? 'ended' : 'open',
      about: this.#entry.about,
      head: this.#head,
      batches: this.#batches.following(after, maxBytes),
      oldest: this.#batches.oldest ?? 1,
      newest: this.#newest,
      end: this.#end,
    }
  }

  watch(onChange: () => void): () => void {
    // The same function may watch twice.
    const watcher = () => onChange()
    this.#watchers.add(watcher)
    this.callbacks?.onReaders()
    return () => {
      if (this.#watchers.delete(watcher)) this.callbacks?.onReaders()
    }
  }

  /** Nothing of it is kept any more. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#batches.close()
    const { callbacks } = this
    if (callbacks && !this.#isDiscarded) queueMicrotask(() => callbacks.onFailure(undefined))
    this.#notify()
  }

  #count(bytes: number): void {
    this.bytes += bytes
    this.#context.onBytes(bytes)
  }

  #notify(): void {
    for (const notify of [...this.#watchers]) notify()
  }
}
