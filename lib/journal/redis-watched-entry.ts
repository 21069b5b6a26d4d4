import type { JournalBatch, JournalPage } from '../api/journal.js'
import { followingBatches } from './following-batches.js'
import { MISSING } from './missing-page.js'
import { type EntryInfo, parseEnd, parseHead, parseNumber, type StreamItem } from './redis-answers.js'
import { decodeItem } from './redis-items.js'

/** How many bytes of an entry's newest events are kept here. */
const CACHED_BYTES = 65_536
/** Bytes that a batch takes in addition to its events. */
const BATCH_BYTES = 250

/** What this process knows of an entry that it watches: how it stands, and its newest events. */
export class WatchedEntry {
  readonly id: string
  readonly #watchers = new Set<() => void>()
  #info: Omit<EntryInfo, 'batches'> | undefined
  #isMissing = false
  #isUncertain = true
  #isBroken = false
  /** They follow one another, up to the newest. */
  #batches: JournalBatch[] = []
  #bytes = 0
  /** The page that was asked for last: readers of one entry mostly ask for the same. */
  #page: { readonly after: number; readonly maxBytes: number; readonly page: JournalPage } | undefined

  constructor(id: string) {
    this.id = id
  }

  get watchers(): number {
    return this.#watchers.size
  }

  /** The process that writes it, until its end. */
  get writer(): string | undefined {
    return this.#isMissing || this.#info?.end ? undefined : this.#info?.writer
  }

  /** The stream's item that was seen last; `undefined` until it is known, and if an item was not as expected. */
  get position(): string | undefined {
    return this.#isBroken ? undefined : this.#info?.position
  }

  get isMissing(): boolean {
    return this.#isMissing
  }

  /** @returns a function that ends the watch */
  watch(onChange: () => void): () => void {
    // The same function may watch twice.
    const watcher = () => onChange()
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  /** Calls all watchers back. */
  notify(): void {
    this.#page = undefined
    for (const notify of [...this.#watchers]) notify()
  }

  /** Nothing is known for sure, because Redis is out of reach: it must be asked. @returns whether that is new */
  doubt(): boolean {
    if (this.#isUncertain) return false
    this.#isUncertain = true
    this.#page = undefined
    return true
  }

  /** Takes what Redis knows of the entry: at first, and after its connection was lost. */
  load(info: EntryInfo | undefined): void {
    this.#isUncertain = false
    this.#page = undefined
    if (!info) {
      this.#forget()
      return
    }
    // What has come meanwhile is read from the stream. If less is there than before, Redis has lost it.
    const isFirst = !this.#info || info.newest < this.#info.newest
    if (isFirst) this.#drop(this.#batches.length)
    const { batches: _, ...rest } = info
    this.#info = isFirst ? rest : { ...this.#info!, isWriterAlive: info.isWriterAlive }
  }

  /** Notes whether its writer is alive. @returns whether that is new */
  note(isWriterAlive: boolean): boolean {
    if (!this.#info || this.#info.isWriterAlive === isWriterAlive) return false
    this.#info = { ...this.#info, isWriterAlive }
    return true
  }

  /** Takes items that follow the position. After an unexpected one, Redis must be asked for everything. */
  take(items: readonly StreamItem[]): void {
    try {
      for (const item of items) this.#take(item)
    } catch {
      this.#isBroken = true
      this.doubt()
    }
  }

  /** Returns what follows an event, if it is known here. */
  page(after: number, maxBytes: number): JournalPage | undefined {
    if (this.#isUncertain) return undefined
    if (this.#isMissing) return MISSING
    const info = this.#info
    // Another process may have written what this one does not know yet.
    if (!info || after > info.newest) return undefined
    const cachedFrom = this.#batches[0]?.first ?? info.newest + 1
    if (Math.max(after + 1, info.oldest) < cachedFrom) return undefined
    const last = this.#page
    if (last && last.after === after && last.maxBytes === maxBytes) return last.page
    const { about, head, newest, oldest, end } = info
    const state = end ? 'ended' : info.isWriterAlive ? 'open' : 'lost'
    const batches = followingBatches(this.#batches, after, maxBytes)
    const page: JournalPage = { state, about, head, batches, oldest, newest, end }
    this.#page = { after, maxBytes, page }
    return page
  }

  #take([id, fields]: StreamItem): void {
    if (fields.has('x')) return this.#forget()
    // What was asked for before the entry was looked up again may come late.
    if (!this.#info || !isLater(id, this.#info.position)) return
    let { head, end, newest, oldest } = this.#info
    if (fields.has('f')) {
      const [encoding, data] = fields.has('t') ? ['t', fields.get('t')] : ['b', fields.get('b')]
      newest = this.#add(decodeItem(id, fields.get('f'), encoding, data, fields.get('m')))
    }
    if (fields.has('h')) head = parseHead(fields.get('h')!)
    if (fields.has('e')) end = parseEnd(fields.get('e')!)
    if (fields.has('o')) {
      oldest = parseNumber(fields.get('o'))
      const kept = this.#batches.findIndex(({ first }) => first >= oldest)
      this.#drop(Math.max(0, kept))
    }
    this.#info = { ...this.#info, head, end, newest, oldest, position: id, isWriterAlive: true }
    this.#page = undefined
  }

  /** @returns the number of the newest event */
  #add(batches: readonly JournalBatch[]): number {
    // Some may have been trimmed before they were seen.
    if (batches[0]?.first !== this.#info!.newest + 1) this.#drop(this.#batches.length)
    for (const batch of batches) {
      this.#batches.push(batch)
      this.#bytes += batch.bytes.length + BATCH_BYTES
    }
    let dropped = 0
    let bytes = this.#bytes
    while (bytes > CACHED_BYTES && dropped < this.#batches.length - 1) {
      bytes -= this.#batches[dropped++]!.bytes.length + BATCH_BYTES
    }
    this.#drop(dropped)
    const { first, ends } = this.#batches.at(-1)!
    return first + ends.length - 1
  }

  #drop(count: number): void {
    for (const { bytes } of this.#batches.splice(0, count)) this.#bytes -= bytes.length + BATCH_BYTES
  }

  #forget(): void {
    this.#isMissing = true
    this.#drop(this.#batches.length)
  }
}

/** Compares ids of items. */
function isLater(id: string, than: string): boolean {
  const [number = 0, part = 0] = id.split('-').map(Number)
  const [otherNumber = 0, otherPart = 0] = than.split('-').map(Number)
  return number === otherNumber ? part > otherPart : number > otherNumber
}
