import type {
  JournalBatch,
  JournalEnd,
  JournalHead,
  JournalWriter,
  JournalWriterCallbacks,
  NewJournalEntry,
} from '../api/journal.js'
import { encodeItem } from './redis-items.js'
import { RetainedItems } from './redis-retained.js'
import { wholeMs } from './redis-time.js'

/** Bytes that a waiting call of the writer takes in addition to its own. */
const CALL_BYTES = 250
/** An entry with more than this is sent at once. */
const URGENT_BYTES = 65_536

/** What sends what the writers of a process have written. */
interface WriterHost {
  /** Adds to the bytes that wait. @returns whether there is room for them */
  reserve(bytes: number): boolean
  /** Gives back what waits no more. */
  release(bytes: number): void
  /** Sends soon what a writer has; at once if that is urgent. */
  schedule(writer: RedisEntryWriter, isUrgent: boolean): void
  /** Forgets a writer, and what Redis has of its entry. */
  drop(writer: RedisEntryWriter, error: unknown): void
  /** Watchers in this process. */
  readersHere(id: string): number
}

/** What a writer sends at once. */
interface Taken {
  readonly args: string[]
  /** What is to be released when it has been sent. */
  readonly bytes: number
}

/** Writes one entry: keeps what must be sent until it is taken. */
export class RedisEntryWriter implements JournalWriter {
  readonly id: string
  readonly callbacks: JournalWriterCallbacks
  /** By process, those that watch elsewhere. */
  readonly remoteReaders = new Map<string, number>()
  readonly #entry: NewJournalEntry
  readonly #host: WriterHost
  readonly #retained: RetainedItems
  #pending: JournalBatch[] = []
  #pendingBytes = 0
  #head: JournalHead | undefined
  #end: JournalEnd | undefined
  /** Whether its end was taken. */
  #isAllTaken = false
  #isClosed = false
  #written = 0
  #seq = 0
  #newest = 0
  #oldest = 1
  #calls = 0
  #callsTaken = 0

  constructor(entry: NewJournalEntry, callbacks: JournalWriterCallbacks, host: WriterHost) {
    this.id = entry.id
    this.callbacks = callbacks
    this.#entry = entry
    this.#host = host
    this.#retained = new RetainedItems(entry.maxBytes)
    this.#retained.add(1, 0)
  }

  get readers(): number {
    let sum = this.#host.readersHere(this.id)
    for (const count of this.remoteReaders.values()) sum += count
    return sum
  }

  /** Bytes of the events that Redis keeps. */
  get bytes(): number {
    return this.#retained.bytes
  }

  /** Calls of the writer so far, and how many of them were taken. */
  get calls(): { readonly made: number; readonly taken: number } {
    return { made: this.#calls, taken: this.#callsTaken }
  }

  /** How often something was taken. */
  get seq(): number {
    return this.#seq
  }

  /** Whether something waits to be taken. */
  get hasPending(): boolean {
    return !this.#isClosed && this.#calls > this.#callsTaken
  }

  /** Whether nothing is written any more. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whether its end was taken. */
  get isAllTaken(): boolean {
    return this.#isAllTaken
  }

  /** Has the entry created. */
  begin(): void {
    this.#reserve(this.#entry.about.length)
    this.#schedule(true)
  }

  setHead(head: JournalHead): void {
    if (this.#isClosed || this.#end) return
    if (this.#reserve(JSON.stringify(head).length)) this.#head = head
    this.#schedule(false)
  }

  append(batch: JournalBatch): void {
    if (this.#isClosed || this.#end) return
    this.#written += batch.bytes.length
    const { maxBytes, trims } = this.#entry
    if (this.#written > maxBytes && !trims) return this.giveUp(undefined)
    if (!this.#reserve(batch.bytes.length)) return
    this.#pending.push(batch)
    this.#schedule(this.#pendingBytes > URGENT_BYTES)
  }

  end(end: JournalEnd): void {
    if (this.#isClosed || this.#end) return
    if (!this.#reserve(end.about.length)) return
    this.#end = end
    this.#schedule(true)
  }

  discard(): void {
    if (this.#isClosed) return
    this.#close()
    this.#host.drop(this, undefined)
  }

  /** Writes no more. @param error `undefined` if the entry is longer than it may be, or was dropped */
  giveUp(error: unknown): void {
    if (this.#isClosed) return
    this.#close()
    this.#host.drop(this, error)
    queueMicrotask(() => this.callbacks.onFailure(error))
  }

  /** Returns the arguments with what is new, up to about `maxBytes` bytes of events. */
  take(maxBytes: number): Taken {
    const items: string[] = []
    let size = 0
    let taken = 0
    while (taken < this.#pending.length && size + taken * CALL_BYTES < maxBytes) {
      const batches = this.#itemAt(taken)
      const { last, first, encoding, data, meta } = encodeItem(batches)
      items.push(String(last), String(first), encoding, data, meta)
      const bytes = batches.reduce((sum, batch) => sum + batch.bytes.length, 0)
      this.#retained.add(first, bytes)
      this.#newest = last
      size += bytes
      taken += batches.length
    }
    this.#pending.splice(0, taken)
    const isWhole = this.#pending.length === 0
    const head = this.#head ? JSON.stringify(this.#head) : ''
    const end = this.#end && isWhole ? JSON.stringify(this.#end) : ''
    if (items.length === 0 && (head || end)) this.#retained.add(this.#newest + 1, 0)
    const trim = this.#retained.trim()
    if (trim) this.#oldest = trim.oldest
    this.#head = undefined
    this.#isAllTaken = end !== ''
    const bytes = isWhole ? this.#pendingBytes : Math.min(this.#pendingBytes, size + taken * CALL_BYTES)
    this.#pendingBytes -= bytes
    this.#callsTaken = this.#calls - this.#pending.length - (this.#end && !isWhole ? 1 : 0)
    this.#seq++
    const args = [
      ...[String(this.#seq), this.#seq === 1 ? this.#entry.about : '', String(this.#newest), String(this.#oldest)],
      ...[head, end, wholeMs(this.#entry.keepMs), trim ? String(trim.kept) : ''],
      String(items.length / 5),
      ...items,
    ]
    return { args, bytes }
  }

  /** Returns the batches that go into one item. */
  #itemAt(from: number): JournalBatch[] {
    let size = 0
    let to = from
    do size += this.#pending[to++]!.bytes.length
    while (to < this.#pending.length && size + this.#pending[to]!.bytes.length <= this.#retained.itemBytes)
    return this.#pending.slice(from, to)
  }

  #reserve(bytes: number): boolean {
    if (this.#host.reserve(bytes + CALL_BYTES)) {
      this.#pendingBytes += bytes + CALL_BYTES
      this.#calls++
      return true
    }
    this.giveUp(new Error('Too much waits for Redis'))
    return false
  }

  #schedule(isUrgent: boolean): void {
    if (!this.#isClosed) this.#host.schedule(this, isUrgent)
  }

  #close(): void {
    this.#isClosed = true
    this.#host.release(this.#pendingBytes)
    this.#pendingBytes = 0
    this.#pending = []
  }
}
