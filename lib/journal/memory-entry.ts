import type {
  JournalBatch,
  JournalEnd,
  JournalHead,
  JournalPage,
  JournalWriter,
  JournalWriterCallbacks,
  NewJournalEntry,
} from '../api/journal.js'
import { EntryMemory, type FreeBlocks } from './entry-memory.js'
import { followingBatches } from './following-batches.js'

/** Bytes that an entry takes in addition to its events, that each of its batches takes, and that the end of each event does. */
const ENTRY_BYTES = 1500
const BATCH_BYTES = 250
const EVENT_BYTES = 8

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
  /** All that it costs in memory. */
  bytes: number
  expiresAt = Number.POSITIVE_INFINITY
  readonly #entry: NewJournalEntry
  readonly #context: EntryContext
  readonly #watchers = new Set<() => void>()
  /** Batches before this index were trimmed. */
  #batches: JournalBatch[] = []
  #head: JournalHead | undefined
  #end: JournalEnd | undefined
  #newest = 0
  /** Events alone. */
  #eventBytes = 0
  readonly #memory: EntryMemory
  #isClosed = false
  #isDiscarded = false

  constructor(entry: NewJournalEntry, callbacks: JournalWriterCallbacks, context: EntryContext) {
    this.id = entry.id
    this.bytes = ENTRY_BYTES + entry.about.length
    this.#entry = entry
    this.callbacks = callbacks
    this.#context = context
    this.#memory = new EntryMemory(context.free, entry.maxBytes)
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
    const before = this.#memory.bytes
    this.#batches.push({ ...batch, bytes: this.#memory.keep(batch.bytes) })
    this.#newest = batch.first + batch.ends.length - 1
    this.#eventBytes += batch.bytes.length
    const { maxBytes, trims } = this.#entry
    if (this.#eventBytes > maxBytes && !trims) return this.#context.onDrop()
    // The newest batch stays, however long it is.
    let trimmed = 0
    let cost = costOf(batch)
    while (this.#eventBytes > maxBytes && trimmed < this.#batches.length - 1) {
      const oldest = this.#batches[trimmed++]!
      this.#memory.dropFirst()
      this.#eventBytes -= oldest.bytes.length
      cost -= costOf(oldest)
    }
    if (trimmed > 0) this.#batches.splice(0, trimmed)
    this.#count(cost + this.#memory.bytes - before)
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
    const oldest = this.#batches[0]?.first ?? 1
    const batches = followingBatches(this.#batches, after, maxBytes)
    if (batches.length > 0) this.#memory.share()
    return {
      state: this.#end ? 'ended' : 'open',
      about: this.#entry.about,
      head: this.#head,
      batches,
      oldest,
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
    this.#batches = []
    this.#memory.close()
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

/** Returns what a batch takes without its bytes. */
function costOf({ ends }: JournalBatch): number {
  return BATCH_BYTES + ends.length * EVENT_BYTES
}
