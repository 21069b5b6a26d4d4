import type { CachedAnswer } from '../api/cache.js'
import type { Journal, JournalPage } from '../api/journal.js'
import type { CacheStats } from '../api/stats.js'
import { isObject, tryParseJson } from '../json/json.js'
import { rejectOption } from '../util/option-errors.js'
import { ignoreRejection } from '../util/promises.js'

/** Prefixes of names. */
const ANSWER = 'c:'
const LEASE = 'j:'

/** How long those who read an answer may take once no further request gets it. */
export const READ_MS = 300_000

/** How long answers are kept, in milliseconds. */
interface Lifetimes {
  /** How long requests get an answer. */
  readonly ttlMs: number
  /** How long those who got it may read it after that, or continue it. */
  readonly readMs: number
}

/** What is kept under a key. */
interface Pointer {
  /** The journal's id of the answer. */
  readonly id: string
  readonly scope: string
  readonly path: string
  readonly model: string | undefined
  readonly storedAt: number
  readonly bytes: number
  /** Its usage is whole. */
  readonly hasUsage: boolean
}

/** An answer that was found. */
export interface FoundAnswer extends Pointer {
  readonly page: JournalPage
}

/** Whole answers by the keys of their requests, and the leaders: requests whose answer is under way. */
export class KeptAnswers {
  readonly #journal: Journal
  readonly #lifetimes: Lifetimes
  readonly #now: () => number
  #hits = 0
  #misses = 0
  #joins = 0

  /** @param now milliseconds since the epoch */
  constructor(journal: Journal, lifetimes: Lifetimes, now: () => number = Date.now) {
    this.#journal = journal
    this.#lifetimes = lifetimes
    this.#now = now
  }

  get counts(): CacheStats {
    return { hits: this.#hits, misses: this.#misses, joins: this.#joins }
  }

  count(how: 'hit' | 'miss' | 'join'): void {
    if (how === 'hit') this.#hits++
    else if (how === 'miss') this.#misses++
    else this.#joins++
  }

  /** Milliseconds for which an answer has been kept. */
  ageOf({ storedAt }: Pick<Pointer, 'storedAt'>): number {
    return Math.max(0, this.#now() - storedAt)
  }

  async find(key: string): Promise<FoundAnswer | undefined> {
    const pointer = readPointer(await this.#journal.get(ANSWER + key))
    if (!pointer) return undefined
    // With its first event: a store that is short of memory may have only what is known of it.
    const page = await this.#journal.read(pointer.id, 0, 1)
    const isWhole =
      page.state === 'ended' && page.end?.how === 'complete' && page.head !== undefined && page.oldest === 1
    if (isWhole) return { ...pointer, page }
    if (page.state === 'missing') await this.#journal.drop(ANSWER + key)
    return undefined
  }

  /** Keeps an answer whose entry has ended. */
  async store(key: string, answer: Omit<Pointer, 'storedAt'>): Promise<void> {
    const before = readPointer(await this.#journal.get(ANSWER + key))
    const { ttlMs, readMs } = this.#lifetimes
    await this.#journal.keep(answer.id, ttlMs + readMs)
    await this.#journal.put(ANSWER + key, JSON.stringify({ ...answer, storedAt: this.#now() }), ttlMs)
    // Some may still read the one before.
    if (before && before.id !== answer.id) await this.#journal.keep(before.id, readMs)
  }

  /** Drops an entry that nobody needs. */
  async forget(id: string): Promise<void> {
    await this.#journal.remove(id)
  }

  /** Returns the leader's entry; `undefined` if there is no leader. */
  async leaderOf(key: string): Promise<string | undefined> {
    return this.#journal.get(LEASE + key)
  }

  /** Makes an entry the one that all others wait for. @returns whether it is */
  async lead(key: string, id: string, ttlMs: number): Promise<boolean> {
    return this.#journal.put(LEASE + key, id, ttlMs, true)
  }

  /** Ends the lead of an entry: no further request waits for it. */
  async release(key: string, id: string): Promise<void> {
    await this.#journal.drop(LEASE + key, id)
  }

  /** Drops answers. @returns how many @throws TypeError if it is not said which */
  async delete(which: string | ((answer: CachedAnswer) => boolean)): Promise<number> {
    if (typeof which !== 'string' && typeof which !== 'function') {
      rejectOption('aiProxy', 'cache.delete(which)', which, 'the key of an answer, or a function')
    }
    const names =
      typeof which === 'string'
        ? ([[ANSWER + which, await this.#journal.get(ANSWER + which)]] as const)
        : await this.#journal.list(ANSWER)
    let count = 0
    for (const [name, value] of names) {
      const pointer = readPointer(value)
      if (!pointer) continue
      const key = name.slice(ANSWER.length)
      const { id, hasUsage: _, ...answer } = pointer
      if (typeof which === 'function' && !isMeant(which({ key, ...answer }))) continue
      if (await this.#journal.drop(name)) count++
      await this.#journal.remove(id)
    }
    return count
  }
}

/** Any promise would pass for `true`. @throws TypeError if it is one */
function isMeant(returned: unknown): boolean {
  if (!ignoreRejection(returned)) return Boolean(returned)
  throw new TypeError('aiProxy: the function in cache.delete(which) returns true or false at once, not a promise')
}

function readPointer(text: string | undefined): Pointer | undefined {
  const parsed = text === undefined ? undefined : tryParseJson(text)
  return isObject(parsed) && typeof parsed.id === 'string' ? (parsed as unknown as Pointer) : undefined
}
