import { setTimeout as delay } from 'node:timers/promises'
import { RecentIds } from '../util/recent-ids.js'
import { type EntryInfo, parseEntry } from './redis-answers.js'
import type { RedisKeys } from './redis-keys.js'
import type { RedisLink } from './redis-link.js'
import { journalScripts } from './redis-scripts.js'

/** How long a process that is late is waited for: twice as long as it takes to say that it is alive. */
const LATE_MS = 2000
/** Processes that are remembered as gone; one that is forgotten is waited for again. */
const MAX_GONE = 1000

/**
 * Looks entries up. A process that has not said in time that it is alive may only be late: the clock of another server, which
 * has taken over, may be ahead, and no process has spoken to that yet. So it is asked for again before it counts as gone.
 */
export class RedisLookUp {
  readonly #link: RedisLink
  readonly #keys: RedisKeys
  /** Processes that were late twice: each start of a process is another. */
  readonly #gone = new RecentIds(MAX_GONE)

  constructor(link: RedisLink, keys: RedisKeys) {
    this.#link = link
    this.#keys = keys
  }

  /** @param maxBytes of the events that follow; 0 for none */
  async entry(id: string, after: number, maxBytes: number): Promise<EntryInfo | undefined> {
    const info = await this.#read(id, after, maxBytes)
    if (!info?.isWriterLate || info.end || this.#gone.has(info.writer)) return info
    await delay(LATE_MS, undefined, { ref: false })
    const again = await this.#read(id, after, maxBytes)
    if (again?.isWriterLate) this.#gone.add(again.writer)
    return again
  }

  async #read(id: string, after: number, maxBytes: number): Promise<EntryInfo | undefined> {
    const names = [this.#keys.alive, this.#keys.entry(id), this.#keys.stream(id)]
    const info = parseEntry(await this.#link.run(journalScripts.read, names, [String(after), String(maxBytes)]))
    if (info?.isWriterAlive) this.#gone.delete(info.writer)
    return info
  }
}
