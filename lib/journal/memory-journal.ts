import type {
  Journal,
  JournalPage,
  JournalStats,
  JournalWriter,
  JournalWriterCallbacks,
  NewJournalEntry,
} from '../api/journal.js'
import { rejectOption, rejectUnknownOptions } from '../util/option-errors.js'
import { ExpiringNames } from './expiring-names.js'
import { FreeBlocks } from './free-blocks.js'
import { MemoryEntry } from './memory-entry.js'
import { MISSING } from './missing-page.js'

/** Part of the memory that may wait to be used again. */
const FREE_SHARE = 1 / 8
/** Part of the memory that names may use. They live longer than entries, and must not take the room of these. */
const NAMES_SHARE = 1 / 4
/** Entries that are checked for their age at once. */
const SWEPT_AT_ONCE = 1000
const SWEEP_MS = 1000

/** Options of {@link memoryJournal}. */
export interface MemoryJournalOptions {
  /** How much memory the journal may use, in bytes. If it is full, the entries that were not used for longest are dropped first. Default 64 MiB. */
  maxBytes?: number
}

/**
 * Creates a journal in this process. It is lost with the process, and other processes cannot read it.
 *
 * @throws TypeError if an option is wrong
 */
export function memoryJournal(options: MemoryJournalOptions = {}): Journal {
  rejectUnknownOptions('memoryJournal', '', options, ['maxBytes'])
  const { maxBytes = 64 * 1024 * 1024 } = options
  const isSize = typeof maxBytes === 'number' && maxBytes >= 0 && maxBytes < Infinity
  if (!isSize) rejectOption('memoryJournal', 'maxBytes', maxBytes, 'a number of at least 0')
  return new MemoryJournal(maxBytes)
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
    this.#open.get(id)?.callbacks?.onStop()
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
    while (this.#names.bytes > this.#maxBytes * NAMES_SHARE && this.#names.evict()) {}
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

  /** Drops some entries that are too old. */
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

  /** Drops the entry that was not used for longest, ended ones first. @returns whether there was one */
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
