import type { JournalPage, JournalWriter, JournalWriterCallbacks, NewJournalEntry } from '../api/journal.js'
import type { RedisClient } from '../util/redis-client.js'
import { MISSING } from './missing-page.js'
import { ReaderAnnouncements } from './redis-announcements.js'
import { pageOf } from './redis-answers.js'
import { RedisAppends } from './redis-appends.js'
import { RedisKeys } from './redis-keys.js'
import { RedisLink } from './redis-link.js'
import { RedisLookUp } from './redis-look-up.js'
import { RedisNames } from './redis-names.js'
import { RedisPresence } from './redis-presence.js'
import { journalScripts } from './redis-scripts.js'
import { wholeMs } from './redis-time.js'
import { SILENCE_MS } from './redis-watch-loop.js'
import type { WatchedEntry } from './redis-watched-entry.js'
import { RedisWatches } from './redis-watches.js'

interface LaneSettings {
  readonly client: RedisClient
  readonly prefix: string
  /** Name of this process among those that share the journal. */
  readonly process: string
  readonly timeoutMs: number
  /** What waits for Redis in this process, for all tags. */
  readonly waiting: { reserve(bytes: number): boolean; release(bytes: number): void }
  onFailure(error: unknown): void
  onDown(error: unknown): void
  onUp(): void
  onIncomplete(): void
}

/** The part of a journal that has one hash tag. */
export class RedisLane {
  readonly names: RedisNames
  readonly #process: string
  readonly #keys: RedisKeys
  readonly #link: RedisLink
  readonly #lookUp: RedisLookUp
  readonly #appends: RedisAppends
  readonly #watches: RedisWatches
  readonly #announcements: ReaderAnnouncements
  readonly #presence: RedisPresence
  /** Reads under way: those that ask for the same share an answer. */
  readonly #reads = new Map<string, Map<string, Promise<JournalPage>>>()
  #mustReload = false
  #downSince: number | undefined

  constructor(tag: number, settings: LaneSettings) {
    const { client, prefix, process, timeoutMs, waiting } = settings
    const keys = new RedisKeys(prefix, tag)
    const link = new RedisLink(client, {
      timeoutMs,
      onFailure: settings.onFailure,
      onDown: (error) => {
        settings.onDown(error)
        this.#appends.giveUp(error)
      },
      onUp: () => {
        settings.onUp()
        this.#appends.onUp()
      },
    })
    this.#process = process
    this.#keys = keys
    this.#link = link
    const lookUp = new RedisLookUp(link, keys)
    this.#lookUp = lookUp
    this.names = new RedisNames(link, keys, process)
    this.#announcements = new ReaderAnnouncements(link, keys, process)
    this.#appends = new RedisAppends({
      ...{ link, keys, process, waiting },
      onIncomplete: settings.onIncomplete,
      readersHere: (id) => this.#watches.entry(id)?.watchers ?? 0,
    })
    this.#watches = new RedisWatches({
      ...{ client, link, lookUp, keys, process, timeoutMs },
      // Readers elsewhere must be known before the client leaves, and one of them may ask for a stop.
      isAddressed: () => this.#appends.isInUse,
      onWatchers: (entry) => this.#noteWatchers(entry),
      onMessages: (items) => this.#presence.receive(items),
      onChange: (id) => this.#reads.delete(id),
    })
    this.#presence = new RedisPresence({
      ...{ link, keys, process },
      isInUse: () => this.#appends.isInUse || this.#watches.isInUse,
      others: () => this.#others(),
      onOthers: (gone, silent) => this.#noteGone(gone, silent),
      onMessage: (fields) => this.#receive(fields),
      onUnreachable: () => this.#noteUnreachable(),
      onRound: (isNew) => {
        this.#downSince = undefined
        this.#mustReload ||= isNew
        if (this.#mustReload) void this.#reload()
        if (isNew) this.#announcements.repeat()
        else this.#announcements.retry()
        void this.#appends.touch().catch(() => {})
      },
    })
  }

  /** Entries that are being written, and their bytes. */
  get size(): { readonly entries: number; readonly bytes: number } {
    return this.#appends.size
  }

  create(entry: NewJournalEntry, callbacks: JournalWriterCallbacks): JournalWriter {
    const writer = this.#appends.create(entry, callbacks)
    this.#watches.listen()
    return writer
  }

  /** Waits until Redis knows all entries that were created. */
  created(): Promise<void> | undefined {
    return this.#appends.created()
  }

  read(id: string, after: number, maxBytes: number): JournalPage | Promise<JournalPage> {
    if (this.#appends.isDropped(id)) return MISSING
    const known = this.#watches.entry(id)?.page(after, maxBytes)
    if (known) return known
    const flushed = this.#appends.flushed(id)
    const reads = this.#reads.get(id) ?? new Map<string, Promise<JournalPage>>()
    const what = `${after} ${maxBytes}`
    // What was asked before something was written may miss it.
    const underWay = flushed ? undefined : reads.get(what)
    if (underWay) return underWay
    const read = this.#page(id, after, maxBytes, flushed).finally(() => {
      if (reads.get(what) === read) reads.delete(what)
      if (reads.size === 0 && this.#reads.get(id) === reads) this.#reads.delete(id)
    })
    reads.set(what, read)
    this.#reads.set(id, reads)
    return read
  }

  watch(id: string, onChange: () => void): () => void {
    return this.#watches.watch(id, onChange)
  }

  async stop(id: string): Promise<void> {
    const writer = this.#appends.writer(id)
    if (writer) return writer.callbacks.onStop()
    const info = await this.#lookUp.entry(id, 0, 0)
    if (!info || info.end) return
    await this.#link.run(journalScripts.post, [this.#keys.inbox(info.writer)], ['k', 's', 'id', id])
  }

  async keep(id: string, ms: number): Promise<void> {
    await this.#appends.flushed(id)
    const time = wholeMs(ms)
    await this.#link.run(journalScripts.keep, [this.#keys.entry(id), this.#keys.stream(id)], [time])
  }

  async remove(id: string): Promise<void> {
    const writer = this.#appends.writer(id)
    // It must not be created, or added to, after it was dropped.
    if (writer) writer.giveUp(undefined)
    await this.#appends.dropped(id)
    await this.#link.run(journalScripts.remove, [this.#keys.entry(id), this.#keys.stream(id)], ['0'])
  }

  /** Sends what waits, announces that this process is gone, and closes its connections. */
  async close(): Promise<void> {
    this.#watches.close()
    await this.#appends.flush()
    await this.#presence.close()
  }

  async #page(id: string, after: number, maxBytes: number, flushed: Promise<void> | undefined): Promise<JournalPage> {
    await flushed
    return pageOf(await this.#lookUp.entry(id, after, maxBytes), after, maxBytes)
  }

  #noteUnreachable(): void {
    this.#appends.giveUp(this.#link.error)
    const now = performance.now()
    this.#downSince ??= now
    if (now - this.#downSince < SILENCE_MS) return
    this.#mustReload = true
    this.#watches.doubt()
  }

  /** Looks up the watched entries: Redis may have lost them although no call has failed. */
  async #reload(): Promise<void> {
    try {
      await this.#watches.reload()
      this.#mustReload = false
    } catch {
      // The next round tries again.
    }
  }

  #noteWatchers(entry: WatchedEntry): void {
    const writer = this.#appends.writer(entry.id)
    if (writer) writer.callbacks.onReaders()
    else this.#announcements.set(entry.id, entry.writer, entry.watchers)
  }

  #others(): ReadonlySet<string> {
    const others = new Set<string>()
    for (const { writer } of this.#watches.entries()) if (writer !== undefined) others.add(writer)
    for (const { remoteReaders } of this.#appends.writers()) for (const each of remoteReaders.keys()) others.add(each)
    others.delete(this.#process)
    return others
  }

  #noteGone(gone: ReadonlySet<string>, silent: ReadonlySet<string>): void {
    this.#watches.noteGone(gone, silent)
    for (const writer of [...this.#appends.writers()]) {
      const before = writer.remoteReaders.size
      for (const each of gone) writer.remoteReaders.delete(each)
      if (writer.remoteReaders.size < before) writer.callbacks.onReaders()
    }
  }

  #receive(fields: ReadonlyMap<string, string>): void {
    const writer = this.#appends.writer(fields.get('id') ?? '')
    if (!writer) return
    if (fields.get('k') === 's') return writer.callbacks.onStop()
    const count = Number(fields.get('n'))
    const process = fields.get('p')
    if (fields.get('k') !== 'r' || process === undefined || !Number.isSafeInteger(count)) return
    // It may be said again.
    if ((writer.remoteReaders.get(process) ?? 0) === count) return
    if (count > 0) writer.remoteReaders.set(process, count)
    else writer.remoteReaders.delete(process)
    writer.callbacks.onReaders()
  }
}
