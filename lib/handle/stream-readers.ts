import type { Journal } from '../api/journal.js'
import type { Exchange } from '../exchange/exchange.js'
import { newStreamId } from '../journal/stream-ids.js'
import type { Config } from '../options/config.js'
import { catchRejection } from '../util/promises.js'

/** How long the mark of a process that has died counts at most. */
const MARK_MS = 30_000
/** Two renewals may fail before a mark is lost. */
const RENEW_MS = MARK_MS / 3
/** How long we remember that a client has asked to stop. */
const LEFT_MS = 60 * 60_000

/** The client reads now. */
const READS = 'reads'
/** The client has lost its connection, and may come back. */
const AWAY = 'away'
/** The client does not come back: it has asked to stop. */
const LEFT = 'left'

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

/**
 * Returns how long a client that has ceased to read an answer may take to come back, in milliseconds; 0 if it has all, or
 * cannot come back.
 */
export function returnTimeOf({ res, outcome }: Exchange, { resume, onClientDisconnect }: Config): number {
  const isCutOff = outcome !== undefined && outcome !== 'completed' && res.headersSent
  return isCutOff && resume && onClientDisconnect === 'keep' ? resume.graceMs : 0
}

/**
 * Marks in the journal that say who reads an answer that several share, or may come back to it. Each process has marks of its
 * own, and renews them while they are needed.
 */
export class StreamReaders {
  readonly #process = newStreamId()
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
   * @returns a function to call once it reads it no more, with how long it may take to come back, in milliseconds; later
   *   calls have no effect
   */
  mark(journal: Journal, entry: string, id: string): (returnMs: number) => void {
    const name = `${nameOf(entry, id)}:${this.#process}`
    const mark = this.#marks.get(name) ?? { journal, count: 0 }
    mark.count++
    this.#marks.set(name, mark)
    if (mark.count === 1) put(journal, name)
    this.#stopRenewing ??= this.#every(RENEW_MS, () => this.#renew())
    let isMarked = true
    return (returnMs) => {
      if (isMarked) this.#unmark(name, mark, returnMs)
      isMarked = false
    }
  }

  /** Notes that a client reads an answer again: it may have asked to stop before. */
  markAgain(journal: Journal, entry: string, id: string): (returnMs: number) => void {
    catchRejection(journal.drop(nameOf(entry, id)), () => {})
    return this.mark(journal, entry, id)
  }

  /**
   * Stops the provider of an answer, unless others read it or may come back to it.
   *
   * @param id of the client that asks for that
   */
  async stopUnlessShared(journal: Journal, entry: string, id: string): Promise<void> {
    // First: of two that ask at the same moment, one sees both.
    await journal.put(nameOf(entry, id), LEFT, LEFT_MS)
    const marks = await journal.list(nameOf(entry, ''))
    const left = new Set(marks.flatMap(([name, value]) => (value === LEFT ? clientIn(name) : [])))
    const isNeeded = marks.some(([name, value]) => {
      const client = clientIn(name)
      return client !== id && (value === READS || (value === AWAY && !left.has(client)))
    })
    if (!isNeeded) await journal.stop(entry)
  }

  #renew(): void {
    for (const [name, { journal }] of this.#marks) put(journal, name)
  }

  #unmark(name: string, mark: Mark, returnMs: number): void {
    if (--mark.count > 0) return
    this.#marks.delete(name)
    const { journal } = mark
    catchRejection(returnMs > 0 ? journal.put(name, AWAY, returnMs) : journal.drop(name), () => {})
    if (this.#marks.size > 0) return
    this.#stopRenewing?.()
    this.#stopRenewing = undefined
  }
}

/** The store reports its failures itself. */
function put(journal: Journal, name: string): void {
  catchRejection(journal.put(name, READS, MARK_MS), () => {})
}

/** The name of what a client has said. Those of its marks go on with `:` and the process. */
function nameOf(entry: string, id: string): string {
  return `f:${entry}:${id}`
}

/** Returns the id of the client that a name is about. */
function clientIn(name: string): string | undefined {
  return name.split(':')[2]
}
