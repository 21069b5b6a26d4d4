import type { RedisKeys } from './redis-keys.js'
import type { RedisLink } from './redis-link.js'
import { journalScripts } from './redis-scripts.js'

interface Announcement {
  readonly writer: string
  wanted: number
  said: number
  isUnderWay: boolean
}

/** Tells the processes that write how many watch their entries here. */
export class ReaderAnnouncements {
  readonly #link: RedisLink
  readonly #keys: RedisKeys
  readonly #process: string
  readonly #announcements = new Map<string, Announcement>()

  constructor(link: RedisLink, keys: RedisKeys, process: string) {
    this.#link = link
    this.#keys = keys
    this.#process = process
  }

  /** @param writer the process that writes the entry; `undefined` if it is not written any more */
  set(id: string, writer: string | undefined, count: number): void {
    const known = this.#announcements.get(id)
    if (writer === undefined) this.#announcements.delete(id)
    else if (known) known.wanted = count
    else if (count > 0) this.#announcements.set(id, { writer, wanted: count, said: 0, isUnderWay: false })
    void this.#say(id)
  }

  /** Says what could not be said. */
  retry(): void {
    for (const id of this.#announcements.keys()) void this.#say(id)
  }

  /** Says everything again: the others may have forgotten this process. */
  repeat(): void {
    for (const announcement of this.#announcements.values()) announcement.said = 0
    this.retry()
  }

  async #say(id: string): Promise<void> {
    const announcement = this.#announcements.get(id)
    if (!announcement || announcement.isUnderWay) return
    announcement.isUnderWay = true
    try {
      while (announcement.said !== announcement.wanted) {
        const { wanted, writer } = announcement
        const message = ['k', 'r', 'id', id, 'p', this.#process, 'n', String(wanted)]
        await this.#link.run(journalScripts.post, [this.#keys.inbox(writer)], message)
        announcement.said = wanted
      }
      if (announcement.wanted === 0 && this.#announcements.get(id) === announcement) this.#announcements.delete(id)
    } catch {
      // The link counts it; the next round tries again.
    } finally {
      announcement.isUnderWay = false
    }
  }
}
