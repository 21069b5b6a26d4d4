import { setTimeout as delay } from 'node:timers/promises'
import type { RedisClient } from '../util/redis-client.js'
import type { StreamItem } from './redis-answers.js'
import type { RedisKeys } from './redis-keys.js'
import type { RedisLink } from './redis-link.js'
import type { RedisLookUp } from './redis-look-up.js'
import { RedisWatchLoop, SILENCE_MS } from './redis-watch-loop.js'
import { WatchedEntry } from './redis-watched-entry.js'

/** How soon a look-up that failed is tried again. */
const RETRY_MS = 1000
/** Entries that are looked up at once. */
const LOADED_AT_ONCE = 50

interface WatchSettings {
  readonly client: RedisClient
  readonly link: RedisLink
  readonly lookUp: RedisLookUp
  readonly keys: RedisKeys
  readonly process: string
  readonly timeoutMs: number
  /** Whether messages for this process matter although nothing is watched. */
  isAddressed(): boolean
  /** How many watch an entry here has changed; or it has become known which process writes it. */
  onWatchers(entry: WatchedEntry): void
  /** There may be something new in an entry. */
  onChange(id: string): void
  /** Messages for this process have come. */
  onMessages(items: readonly StreamItem[]): void
}

/** Watches entries of a tag: one call waits for all of them. */
export class RedisWatches {
  readonly #settings: WatchSettings
  readonly #entries = new Map<string, WatchedEntry>()
  readonly #loop: RedisWatchLoop

  constructor(settings: WatchSettings) {
    this.#settings = settings
    this.#loop = new RedisWatchLoop({
      ...settings,
      streams: () => this.#streams(),
      reload: () => this.reload(),
      onItems: (found) => this.#take(found),
      onSilence: () => this.doubt(),
    })
  }

  get isInUse(): boolean {
    return this.#entries.size > 0
  }

  entries(): Iterable<WatchedEntry> {
    return this.#entries.values()
  }

  entry(id: string): WatchedEntry | undefined {
    return this.#entries.get(id)
  }

  watch(id: string, onChange: () => void): () => void {
    const known = this.#entries.get(id)
    const entry = known ?? new WatchedEntry(id)
    const end = entry.watch(onChange)
    if (known) this.#settings.onWatchers(entry)
    else {
      this.#entries.set(id, entry)
      void this.#begin(entry)
    }
    return () => {
      const before = entry.watchers
      end()
      if (entry.watchers === before) return
      if (entry.watchers === 0 && this.#entries.get(id) === entry) this.#entries.delete(id)
      this.#settings.onWatchers(entry)
    }
  }

  /** Has messages for this process come at once. */
  listen(): void {
    this.#loop.listen()
  }

  /** Notes which of the writers are gone. @param silent those of which this is not known yet */
  noteGone(gone: ReadonlySet<string>, silent: ReadonlySet<string>): void {
    for (const entry of [...this.#entries.values()]) {
      const { writer } = entry
      if (writer === undefined || (silent.has(writer) && !gone.has(writer))) continue
      if (entry.note(!gone.has(writer))) this.#notify(entry)
    }
  }

  /** Looks all entries up again: Redis may have lost some of them. */
  async reload(): Promise<void> {
    const known = [...this.#entries.values()].filter((entry) => entry.position !== undefined && !entry.isMissing)
    for (let at = 0; at < known.length; at += LOADED_AT_ONCE) {
      await Promise.all(known.slice(at, at + LOADED_AT_ONCE).map((entry) => this.#load(entry)))
    }
    for (const entry of known) this.#notify(entry)
    if (known.length > 0) this.#loop.wake()
  }

  /** Tells all readers to ask Redis, which is out of reach: they must not wait for what may never come. */
  doubt(): void {
    for (const entry of [...this.#entries.values()]) if (entry.doubt()) this.#notify(entry)
  }

  close(): void {
    this.#entries.clear()
    this.#loop.close()
  }

  /** Looks an entry up, until that succeeds, and has the loop wait for it. */
  async #begin(entry: WatchedEntry): Promise<void> {
    this.#settings.onWatchers(entry)
    for (let failures = 0; this.#entries.get(entry.id) === entry; failures++) {
      try {
        await this.#load(entry)
        break
      } catch {
        if (failures * RETRY_MS === SILENCE_MS) this.#notify(entry)
        await delay(RETRY_MS, undefined, { ref: false })
      }
    }
    if (this.#entries.get(entry.id) !== entry) return
    this.#settings.onWatchers(entry)
    this.#notify(entry)
    this.#loop.wake()
  }

  #notify(entry: WatchedEntry): void {
    this.#settings.onChange(entry.id)
    entry.notify()
  }

  async #load(entry: WatchedEntry): Promise<void> {
    entry.load(await this.#settings.lookUp.entry(entry.id, 0, 0))
  }

  /** The streams of entries that are there, with what was seen of each. */
  #streams(): Map<string, string> {
    const { keys } = this.#settings
    const streams = new Map<string, string>()
    for (const entry of this.#entries.values()) {
      if (!entry.isMissing && entry.position !== undefined) streams.set(keys.stream(entry.id), entry.position)
    }
    return streams
  }

  #take(found: ReadonlyMap<string, readonly StreamItem[]>): void {
    const { keys } = this.#settings
    for (const entry of [...this.#entries.values()]) {
      const items = found.get(keys.stream(entry.id))
      if (!items || items.length === 0) continue
      entry.take(items)
      this.#notify(entry)
    }
  }
}
