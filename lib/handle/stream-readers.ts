import type { Journal } from '../api/journal.js'
import { catchRejection } from '../util/promises.js'

/** The mark of a process that has died counts for so long at most. */
const MARK_MS = 30_000
/** Two renewals may fail before a mark is lost. */
const RENEW_MS = MARK_MS / 3

/** Calls a function again and again. @returns a function that ends that */
type Every = (ms: number, run: () => void) => () => void

const every: Every = (ms, run) => {
  const timer = setInterval(run, ms).unref()
  return () => clearInterval(timer)
}

interface Mark {
  readonly journal: Journal
  /** A client may read one answer on several connections. */
  count: number
}

/** Marks in the journal that say who reads an answer that several share. This process renews its own while they are needed. */
export class StreamReaders {
  readonly #every: Every
  /** By name. */
  readonly #marks = new Map<string, Mark>()
  #stopRenewing: (() => void) | undefined

  constructor(schedule: Every = every) {
    this.#every = schedule
  }

  /**
   * Notes that a client reads an answer.
   *
   * @param id of that client's stream
   * @returns a function to call once it reads it no more; later calls have no effect
   */
  mark(journal: Journal, entry: string, id: string): () => void {
    const name = nameOf(entry, id)
    const mark = this.#marks.get(name) ?? { journal, count: 0 }
    mark.count++
    this.#marks.set(name, mark)
    if (mark.count === 1) put(journal, name)
    this.#stopRenewing ??= this.#every(RENEW_MS, () => this.#renew())
    let isMarked = true
    return () => {
      if (isMarked) this.#unmark(name, mark)
      isMarked = false
    }
  }

  /**
   * Stops the provider of an answer, unless others read it.
   *
   * @param id of the client that asks for that
   */
  async stopUnlessShared(journal: Journal, entry: string, id: string): Promise<void> {
    const own = nameOf(entry, id)
    const others = (await journal.list(nameOf(entry, ''))).filter(([name]) => name !== own)
    if (others.length === 0) await journal.stop(entry)
  }

  #renew(): void {
    for (const [name, { journal }] of this.#marks) put(journal, name)
  }

  #unmark(name: string, mark: Mark): void {
    if (--mark.count > 0) return
    this.#marks.delete(name)
    catchRejection(mark.journal.drop(name), () => {})
    if (this.#marks.size > 0) return
    this.#stopRenewing?.()
    this.#stopRenewing = undefined
  }
}

/** The store reports its failures itself. */
function put(journal: Journal, name: string): void {
  catchRejection(journal.put(name, '1', MARK_MS), () => {})
}

function nameOf(entry: string, id: string): string {
  return `f:${entry}:${id}`
}
