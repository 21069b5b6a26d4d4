import type { JournalWriter, JournalWriterCallbacks, NewJournalEntry } from '../api/journal.js'
import { parseInteger } from './redis-answers.js'
import type { RedisKeys } from './redis-keys.js'
import type { RedisLink } from './redis-link.js'
import { journalScripts } from './redis-scripts.js'
import { RedisEntryWriter } from './redis-writer.js'

/** How long a process counts as alive after it has said so. It says so once a second. */
export const ALIVE_MS = 5000
/** How long an open entry is kept without a sign that its writer is alive. */
const OPEN_MS = 15 * 60_000
/** How often an open entry's life is extended. */
const TOUCH_MS = 5 * 60_000
/** What is written within this time goes out together. */
const COALESCE_MS = 4
/** What one call sends at most: a script holds the server. */
const ENTRIES_AT_ONCE = 100
const BYTES_AT_ONCE = 262_144
/** Entries to drop when Redis is back. Others expire. */
const MAX_DROPS = 10_000

interface AppendSettings {
  readonly link: RedisLink
  readonly keys: RedisKeys
  readonly process: string
  /** What waits for Redis in this process, for all tags. */
  readonly waiting: { reserve(bytes: number): boolean; release(bytes: number): void }
  /** An entry was given up because of Redis. */
  onIncomplete(): void
  readersHere(id: string): number
}

/** Sends what the writers of a tag have written: one call at a time, so that order needs no care. */
export class RedisAppends {
  readonly #settings: AppendSettings
  readonly #writers = new Map<string, RedisEntryWriter>()
  /** When the entry's life was extended. */
  readonly #touched = new Map<RedisEntryWriter, number>()
  readonly #dirty = new Set<RedisEntryWriter>()
  readonly #drops = new Set<string>()
  readonly #waiters: (() => void)[] = []
  #inFlight: readonly RedisEntryWriter[] = []
  #isBusy = false
  #isDue = false
  #timer: NodeJS.Timeout | undefined

  constructor(settings: AppendSettings) {
    this.#settings = settings
  }

  /** Entries that are being written, and their bytes. */
  get size(): { readonly entries: number; readonly bytes: number } {
    let bytes = 0
    for (const writer of this.#writers.values()) bytes += writer.bytes
    return { entries: this.#writers.size, bytes }
  }

  get isInUse(): boolean {
    return this.#writers.size > 0 || this.#drops.size > 0
  }

  create(entry: NewJournalEntry, callbacks: JournalWriterCallbacks): JournalWriter {
    const { link, waiting, readersHere } = this.#settings
    const writer = new RedisEntryWriter(entry, callbacks, {
      reserve: (bytes) => waiting.reserve(bytes),
      release: (bytes) => waiting.release(bytes),
      schedule: (each, isUrgent) => this.#schedule(each, isUrgent),
      drop: (each, error) => this.#forget(each, error),
      readersHere,
    })
    this.#writers.set(entry.id, writer)
    this.#touched.set(writer, performance.now())
    if (link.isDown) writer.giveUp(link.error)
    else writer.begin()
    return writer
  }

  writer(id: string): RedisEntryWriter | undefined {
    return this.#writers.get(id)
  }

  writers(): Iterable<RedisEntryWriter> {
    return this.#writers.values()
  }

  /** Whether an entry must be dropped that Redis may still have. */
  isDropped(id: string): boolean {
    return this.#drops.has(id)
  }

  /** Waits until Redis has dropped an entry, or is out of reach. */
  async dropped(id: string): Promise<void> {
    while (this.#drops.has(id) && !this.#settings.link.isDown) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
  }

  /** Waits until Redis has what was written of an entry so far, if there is anything to wait for. */
  flushed(id: string): Promise<void> | undefined {
    const writer = this.#writers.get(id)
    if (!writer || !(this.#dirty.has(writer) || this.#inFlight.includes(writer))) return undefined
    return this.#whenTaken(writer)
  }

  /** Waits until Redis knows all entries that were created. */
  created(): Promise<void> | undefined {
    const fresh = [
      ...[...this.#dirty].filter((writer) => writer.seq === 0),
      ...this.#inFlight.filter((writer) => writer.seq === 1),
    ]
    return fresh.length > 0 ? Promise.all(fresh.map((writer) => this.#whenTaken(writer))).then(() => {}) : undefined
  }

  /** Sends everything, as long as Redis answers. */
  async flush(): Promise<void> {
    this.#isDue = true
    this.#pump()
    while ((this.#dirty.size > 0 || this.#drops.size > 0 || this.#isBusy) && !this.#settings.link.isDown) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
  }

  /** Gives up all entries of which something waits, because Redis is out of reach. */
  giveUp(error: unknown): void {
    for (const writer of new Set([...this.#inFlight, ...this.#dirty])) writer.giveUp(error)
    this.#notifyWaiters()
  }

  /** Goes on. */
  onUp(): void {
    this.#pump()
  }

  /** Extends the lives of open entries. */
  async touch(): Promise<void> {
    const now = performance.now()
    const due = [...this.#touched].filter(([, at]) => now - at >= TOUCH_MS).slice(0, 500)
    if (due.length === 0) return
    for (const [writer] of due) this.#touched.set(writer, now)
    const { link, keys } = this.#settings
    const names = due.flatMap(([{ id }]) => [keys.entry(id), keys.stream(id)])
    await link.run(journalScripts.touch, names, [String(OPEN_MS)])
  }

  async #whenTaken(writer: RedisEntryWriter): Promise<void> {
    const { made } = writer.calls
    this.#schedule(writer, true)
    while (!writer.isClosed && (writer.calls.taken < made || this.#inFlight.includes(writer))) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
  }

  #schedule(writer: RedisEntryWriter, isUrgent: boolean): void {
    if (writer.hasPending) this.#dirty.add(writer)
    if (isUrgent && !this.#isDue) {
      this.#isDue = true
      setImmediate(() => this.#pump())
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#isDue = true
      this.#pump()
    }, COALESCE_MS)
  }

  #forget(writer: RedisEntryWriter, error: unknown): void {
    if (error !== undefined) this.#settings.onIncomplete()
    this.#remove(writer)
    // Redis may have something only of those that were sent.
    if (writer.seq === 0) return
    this.#drops.add(writer.id)
    if (this.#drops.size > MAX_DROPS) this.#drops.delete(this.#drops.values().next().value!)
    setImmediate(() => this.#pump())
  }

  #remove(writer: RedisEntryWriter): void {
    this.#dirty.delete(writer)
    this.#touched.delete(writer)
    if (this.#writers.get(writer.id) === writer) this.#writers.delete(writer.id)
  }

  #pump(): void {
    if (this.#isBusy || this.#settings.link.isDown) return
    if (this.#drops.size > 0) this.#sendDrops()
    else if (this.#dirty.size > 0 && this.#isDue) this.#send()
  }

  #sendDrops(): void {
    const { keys } = this.#settings
    const ids = [...this.#drops].slice(0, ENTRIES_AT_ONCE)
    const names = ids.flatMap((id) => [keys.entry(id), keys.stream(id)])
    this.#call(journalScripts.remove, names, ['1'], 0, () => {
      for (const id of ids) this.#drops.delete(id)
    })
  }

  #send(): void {
    const { keys, process } = this.#settings
    const writers: RedisEntryWriter[] = []
    const names = [keys.alive]
    const args = [process, String(ALIVE_MS), String(OPEN_MS)]
    let bytes = 0
    for (const writer of [...this.#dirty].slice(0, ENTRIES_AT_ONCE)) {
      if (bytes >= BYTES_AT_ONCE) break
      const taken = writer.take(BYTES_AT_ONCE - bytes)
      args.push(...taken.args)
      names.push(keys.entry(writer.id), keys.stream(writer.id))
      bytes += taken.bytes
      writers.push(writer)
      this.#dirty.delete(writer)
      // The others come first.
      if (writer.hasPending) this.#dirty.add(writer)
    }
    this.#isDue = this.#dirty.size > 0
    this.#inFlight = writers
    this.#call(journalScripts.append, names, args, bytes, (answer) => this.#note(writers, answer))
  }

  #call(
    script: Parameters<RedisLink['run']>[0],
    names: string[],
    args: string[],
    bytes: number,
    then: (answer: unknown) => void,
  ): void {
    const { link, waiting } = this.#settings
    this.#isBusy = true
    let left = 2
    const over = () => {
      if (--left > 0) return
      this.#isBusy = false
      this.#pump()
      this.#notifyWaiters()
    }
    const settled = () => {
      waiting.release(bytes)
      over()
    }
    link
      .run(script, names, args, settled)
      .then(then, (error) => {
        for (const writer of this.#inFlight) writer.giveUp(error)
      })
      .then(() => {
        this.#inFlight = []
        this.#notifyWaiters()
        over()
      })
  }

  #note(writers: readonly RedisEntryWriter[], answer: unknown): void {
    const isKnown = Array.isArray(answer) && answer.length === writers.length
    for (const [index, writer] of writers.entries()) {
      const each = isKnown ? parseInteger(answer[index]) : undefined
      if (each === 1) {
        if (writer.isAllTaken) this.#remove(writer)
      } else if (each === 0) writer.giveUp(undefined)
      else
        writer.giveUp(
          new Error((each !== undefined && REASONS.get(each)) || 'Redis sent an unexpected answer to what was written'),
        )
    }
  }

  #notifyWaiters(): void {
    for (const notify of this.#waiters.splice(0)) notify()
  }
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [-1, 'The entry has vanished from Redis'],
  [-2, 'Redis has lost a part of the entry'],
])
