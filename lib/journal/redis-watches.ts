import { setTimeout as delay } from 'node:timers/promises'
import type { RedisClient } from '../util/redis-client.js'
import { parseEntry, type StreamItem } from './redis-answers.js'
import type { RedisKeys } from './redis-keys.js'
import type { RedisLink } from './redis-link.js'
import { journalScripts } from './redis-scripts.js'
import { WaitingConnection } from './redis-waiting-connection.js'
import { WatchedEntry } from './redis-watched-entry.js'

/** How long one call waits for items. */
const WAIT_MS = 5000
/** How long the connection stays if nothing is watched. */
const IDLE_MS = 30_000
const MIN_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 1000
/** After such a time without Redis, readers are told: they must not wait for what may never come. */
const SILENCE_MS = 5000
/** Items that one call returns at most, of all entries together. */
const ITEMS_AT_ONCE = 256
/** Entries that are looked up at once. */
const LOADED_AT_ONCE = 50

interface WatchSettings {
  readonly client: RedisClient
  readonly link: RedisLink
  readonly keys: RedisKeys
  readonly process: string
  readonly timeoutMs: number
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
  #connection: WaitingConnection | undefined
  #isRunning = false
  #isWaiting = false
  #isWoken = false
  #isClosed = false
  /** The message that was seen last. */
  #inboxPosition = '0-0'
  /** Ends a pause of the loop. */
  #go: (() => void) | undefined

  constructor(settings: WatchSettings) {
    this.#settings = settings
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

  /** Notes which of the writers are gone. @param silent those of which this is not known yet */
  noteGone(gone: ReadonlySet<string>, silent: ReadonlySet<string>): void {
    for (const entry of [...this.#entries.values()]) {
      const { writer } = entry
      if (writer === undefined || (silent.has(writer) && !gone.has(writer))) continue
      if (entry.note(!gone.has(writer))) this.#tell(entry)
    }
  }

  /** Looks all entries up again: Redis may have lost some of them. */
  async reload(): Promise<void> {
    this.#inboxPosition = '0-0'
    const known = [...this.#entries.values()].filter((entry) => entry.position !== undefined && !entry.isMissing)
    for (let at = 0; at < known.length; at += LOADED_AT_ONCE) {
      await Promise.all(known.slice(at, at + LOADED_AT_ONCE).map((entry) => this.#load(entry)))
    }
    for (const entry of known) this.#tell(entry)
    if (known.length > 0) this.#wake()
  }

  close(): void {
    this.#isClosed = true
    this.#connection?.close()
    this.#entries.clear()
    this.#go?.()
  }

  /** Looks an entry up, until that succeeds, and has the loop wait for it. */
  async #begin(entry: WatchedEntry): Promise<void> {
    this.#settings.onWatchers(entry)
    for (let failures = 0; this.#entries.get(entry.id) === entry; failures++) {
      try {
        await this.#load(entry)
        break
      } catch {
        if (failures * MAX_BACKOFF_MS === SILENCE_MS) this.#tell(entry)
        await delay(MAX_BACKOFF_MS, undefined, { ref: false })
      }
    }
    if (this.#entries.get(entry.id) !== entry) return
    this.#settings.onWatchers(entry)
    this.#tell(entry)
    this.#wake()
  }

  #tell(entry: WatchedEntry): void {
    this.#settings.onChange(entry.id)
    entry.tell()
  }

  async #load(entry: WatchedEntry): Promise<void> {
    const { link, keys } = this.#settings
    const { id } = entry
    const answer = await link.run(journalScripts.read, [keys.alive, keys.entry(id), keys.stream(id)], ['0', '0'])
    entry.load(parseEntry(answer))
  }

  /** Has the loop see the entries as they are now. */
  #wake(): void {
    this.#go?.()
    if (!this.#isRunning) void this.#run()
    if (!this.#isWaiting || this.#isWoken) return
    this.#isWoken = true
    const { link, keys, process } = this.#settings
    link.run(journalScripts.post, [keys.inbox(process)], ['k', 'w']).catch(() => {
      this.#isWoken = false
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    let failures = 0
    let failedAt = 0
    let isSilent = false
    while (!this.#isClosed) {
      const streams = this.#streams().size
      if (streams === 0) {
        if (await this.#isIdle()) break
        continue
      }
      try {
        if (failures > 0) await this.reload()
        await this.#read()
        failures = 0
        isSilent = false
        // Many entries are asked for less often: each call names all of them.
        if (streams > 100) await delay(Math.min(20, streams / 50))
      } catch (error) {
        if (this.#isClosed) break
        if (failures === 0) failedAt = performance.now()
        this.#settings.link.fail(error)
        this.#connection?.close()
        this.#connection = undefined
        if (!isSilent && performance.now() - failedAt >= SILENCE_MS) {
          isSilent = true
          this.#doubt()
        }
        await delay(Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** failures++), undefined, { ref: false })
      }
    }
    this.#connection?.close()
    this.#connection = undefined
    this.#isRunning = false
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

  async #read(): Promise<void> {
    const { client, keys, process, timeoutMs, onMessages } = this.#settings
    this.#connection ??= await WaitingConnection.open(client, timeoutMs)
    const inbox = keys.inbox(process)
    // Those that begin to watch while the connection opens are not overlooked.
    const streams = this.#streams()
    const count = Math.max(1, Math.floor(ITEMS_AT_ONCE / (streams.size + 1)))
    this.#isWaiting = true
    try {
      const after = new Map([[inbox, this.#inboxPosition], ...streams])
      const found = await this.#connection.read(WAIT_MS, timeoutMs, count, after)
      const messages = found.get(inbox) ?? []
      this.#inboxPosition = messages.at(-1)?.[0] ?? this.#inboxPosition
      onMessages(messages)
      this.#take(found)
    } finally {
      this.#isWaiting = false
      this.#isWoken = false
    }
  }

  #take(found: ReadonlyMap<string, readonly StreamItem[]>): void {
    const { keys } = this.#settings
    for (const entry of [...this.#entries.values()]) {
      const items = found.get(keys.stream(entry.id))
      if (!items || items.length === 0) continue
      entry.take(items)
      this.#tell(entry)
    }
  }

  #doubt(): void {
    for (const entry of [...this.#entries.values()]) {
      entry.doubt()
      this.#tell(entry)
    }
  }

  /** Waits until there is something to wait for. @returns whether there was nothing for long */
  async #isIdle(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const isIdle = await new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), IDLE_MS).unref()
      this.#go = () => resolve(false)
    })
    clearTimeout(timer)
    this.#go = undefined
    return isIdle && this.#streams().size === 0
  }
}
