import type {
  Journal,
  JournalBatch,
  JournalEnd,
  JournalHead,
  JournalPage,
  JournalStats,
  JournalWriter,
  JournalWriterCallbacks,
  NewJournalEntry,
} from '../api/journal.js'
import { check, objectOf } from '../options/validate.js'
import { EntryMemory, FreeBlocks } from './entry-memory.js'
import { ExpiringNames } from './expiring-names.js'

/** Part of the memory that may wait to be used again. */
const FREE_SHARE = 1 / 8
/** What a batch, and what an entry, costs beside its events. */
const BATCH_BYTES = 250
const ENTRY_BYTES = 1500
/** Entries that are checked for their age at once. */
const SWEPT_AT_ONCE = 1000
const SWEEP_MS = 1000

/** Options of {@link memoryJournal}. */
export interface MemoryJournalOptions {
  /** How much memory the journal may use, in bytes. What was not used for longest goes first. Default 64 MiB. */
  maxBytes?: number
}

/**
 * Creates a journal in this process. It is lost with the process, and other processes cannot read it.
 *
 * @throws TypeError if an option is wrong
 */
export function memoryJournal(options: MemoryJournalOptions = {}): Journal {
  const { maxBytes = 64 * 1024 * 1024 } = objectOf('memoryJournal', options, ['maxBytes'])
  return new MemoryJournal(check.number('memoryJournal.maxBytes', maxBytes, { from: 0 }))
}

/** Keeps entries in memory. */
export class MemoryJournal implements Journal {
  readonly #maxBytes: number
  readonly #now: () => number
  /** Both in the order of their last use. */
  readonly #open = new Map<string, MemoryEntry>()
  readonly #ended = new Map<string, MemoryEntry>()
  readonly #names: ExpiringNames
  readonly #free: FreeBlocks
  readonly #timer: NodeJS.Timeout
  #sweep: Iterator<MemoryEntry> | undefined
  #bytes = 0

  /** @param now milliseconds since any moment */
  constructor(maxBytes: number, now: () => number = Date.now) {
    this.#maxBytes = maxBytes
    this.#now = now
    this.#names = new ExpiringNames(now)
    this.#free = new FreeBlocks(maxBytes * FREE_SHARE)
    this.#timer = setInterval(() => this.sweep(), SWEEP_MS).unref()
  }

  create(entry: NewJournalEntry, callbacks: JournalWriterCallbacks): JournalWriter {
    const created = new MemoryEntry(entry, callbacks, {
      free: this.#free,
      now: this.#now,
      onBytes: (count) => this.#count(count),
      onEnd: (ended) => {
        if (this.#open.delete(entry.id)) this.#ended.set(entry.id, ended)
      },
      onDrop: () => this.#remove(entry.id),
    })
    this.#open.set(entry.id, created)
    this.#count(created.bytes)
    return created
  }

  read(id: string, after: number, maxBytes: number): JournalPage {
    return this.#find(id)?.read(after, maxBytes) ?? MISSING
  }

  watch(id: string, onChange: () => void): () => void {
    return this.#find(id)?.watch(onChange) ?? (() => {})
  }

  stop(id: string): void {
    this.#open.get(id)?.callbacks.onStop()
  }

  keep(id: string, ms: number): void {
    const entry = this.#find(id)
    if (entry?.hasEnded) entry.expiresAt = this.#now() + ms
  }

  remove(id: string): void {
    this.#remove(id)
  }

  put(name: string, value: string, ttlMs: number, ifAbsent = false): boolean {
    const before = this.#names.bytes
    const isSet = this.#names.put(name, value, ttlMs, ifAbsent)
    this.#count(this.#names.bytes - before)
    return isSet
  }

  get(name: string): string | undefined {
    return this.#names.get(name)
  }

  drop(name: string, ifValue?: string): boolean {
    const before = this.#names.bytes
    const isDropped = this.#names.drop(name, ifValue)
    this.#count(this.#names.bytes - before)
    return isDropped
  }

  list(prefix: string): Promise<readonly (readonly [string, string])[]> {
    return this.#names.list(prefix)
  }

  stats(): JournalStats {
    return { entries: this.#open.size + this.#ended.size, bytes: this.#bytes, failures: 0, incomplete: 0 }
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Drops some of what is too old. */
  sweep(): void {
    const before = this.#names.bytes
    this.#names.sweep(SWEPT_AT_ONCE)
    this.#bytes += this.#names.bytes - before
    this.#sweep ??= this.#ended.values()
    const now = this.#now()
    for (let checked = 0; checked < SWEPT_AT_ONCE; checked++) {
      const { done, value } = this.#sweep.next()
      if (done) {
        this.#sweep = undefined
        return
      }
      if (value.expiresAt <= now) this.#remove(value.id)
    }
  }

  /** Finds an entry that is not too old, and notes its use. */
  #find(id: string): MemoryEntry | undefined {
    const entries = this.#open.has(id) ? this.#open : this.#ended
    const entry = entries.get(id)
    if (!entry) return undefined
    if (entry.expiresAt <= this.#now()) {
      this.#remove(id)
      return undefined
    }
    entries.delete(id)
    entries.set(id, entry)
    return entry
  }

  #remove(id: string): void {
    const entry = this.#open.get(id) ?? this.#ended.get(id)
    if (!entry) return
    this.#open.delete(id)
    this.#ended.delete(id)
    this.#bytes -= entry.bytes
    entry.close()
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    while (this.#bytes > this.#maxBytes && this.#evict()) {}
  }

  /** Drops what was not used for longest: what has ended before what is under way. @returns whether there was anything */
  #evict(): boolean {
    const [oldest] = this.#ended.keys()
    const id = oldest ?? this.#open.keys().next().value
    if (id !== undefined) this.#remove(id)
    else {
      const before = this.#names.bytes
      if (!this.#names.evict()) return false
      this.#bytes += this.#names.bytes - before
    }
    return true
  }
}

const MISSING: JournalPage = {
  state: 'missing',
  about: '',
  head: undefined,
  batches: [],
  oldest: 1,
  newest: 0,
  end: undefined,
}

interface EntryContext {
  readonly free: FreeBlocks
  now(): number
  onBytes(count: number): void
  onEnd(entry: MemoryEntry): void
  onDrop(): void
}

/** One entry, which is its own writer. */
class MemoryEntry implements JournalWriter {
  readonly id: string
  readonly callbacks: JournalWriterCallbacks
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
    this.#memory = new EntryMemory(context.free)
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
    this.#tell()
  }

  append(batch: JournalBatch): void {
    if (this.#isClosed || this.#end) return
    this.#batches.push({ ...batch, bytes: this.#memory.keep(batch.bytes) })
    this.#newest = batch.first + batch.ends.length - 1
    this.#eventBytes += batch.bytes.length
    const { maxBytes, trims } = this.#entry
    if (this.#eventBytes > maxBytes && !trims) return this.#context.onDrop()
    // The newest batch stays, however long it is.
    let trimmed = 0
    let cost = batch.bytes.length + BATCH_BYTES
    while (this.#eventBytes > maxBytes && trimmed < this.#batches.length - 1) {
      const { length } = this.#batches[trimmed++]!.bytes
      this.#memory.dropFirst()
      this.#eventBytes -= length
      cost -= length + BATCH_BYTES
    }
    if (trimmed > 0) this.#batches.splice(0, trimmed)
    this.#count(cost)
    this.#tell()
  }

  end(end: JournalEnd): void {
    if (this.#isClosed || this.#end) return
    this.#end = end
    this.expiresAt = this.#context.now() + this.#entry.keepMs
    this.#context.onEnd(this)
    this.#count(end.about.length)
    this.#tell()
  }

  discard(): void {
    this.#isDiscarded = true
    this.#context.onDrop()
  }

  read(after: number, maxBytes: number): JournalPage {
    const oldest = this.#batches[0]?.first ?? 1
    const batches: JournalBatch[] = []
    let size = 0
    for (let at = this.#indexAfter(after); at < this.#batches.length && size < maxBytes; at++) {
      batches.push(this.#batches[at]!)
      size += this.#batches[at]!.bytes.length
    }
    if (size > 0) this.#memory.share()
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
    if (!this.#end) this.callbacks.onReaders()
    return () => {
      if (this.#watchers.delete(watcher) && !this.#end) this.callbacks.onReaders()
    }
  }

  /** Nothing of it is kept any more. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#batches = []
    this.#memory.close()
    if (!this.#end && !this.#isDiscarded) queueMicrotask(() => this.callbacks.onFailure(undefined))
    this.#tell()
  }

  /** Returns the index of the batch with the event after `after`: usually one of the last. */
  #indexAfter(after: number): number {
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const { first, ends } = this.#batches[middle]!
      if (first + ends.length - 1 > after) high = middle
      else low = middle + 1
    }
    return low
  }

  #count(bytes: number): void {
    this.bytes += bytes
    this.#context.onBytes(bytes)
  }

  #tell(): void {
    for (const tell of [...this.#watchers]) tell()
  }
}
