import { setImmediate as nextRound } from 'node:timers/promises'

/** Bytes that a name takes in addition to its characters. */
const NAME_BYTES = 200
/** Names that one turn of a list checks. */
const CHECKED_AT_ONCE = 5000

interface Named {
  readonly value: string
  readonly expiresAt: number
}

/** Values by name, each for a while. The one that was used longest ago comes first. */
export class ExpiringNames {
  readonly #now: () => number
  readonly #values = new Map<string, Named>()
  #sweep: Iterator<[string, Named]> | undefined
  #bytes = 0

  /** @param now milliseconds since any moment */
  constructor(now: () => number) {
    this.#now = now
  }

  /** What all of them cost in memory. */
  get bytes(): number {
    return this.#bytes
  }

  /** @returns whether it was set */
  put(name: string, value: string, ttlMs: number, ifAbsent: boolean): boolean {
    if (ifAbsent && this.get(name) !== undefined) return false
    this.#delete(name)
    this.#values.set(name, { value, expiresAt: this.#now() + ttlMs })
    this.#bytes += sizeOf(name, value)
    return true
  }

  get(name: string): string | undefined {
    const named = this.#values.get(name)
    if (!named) return undefined
    if (named.expiresAt <= this.#now()) {
      this.#delete(name)
      return undefined
    }
    // Its place is the last again.
    this.#values.delete(name)
    this.#values.set(name, named)
    return named.value
  }

  /** @returns whether it had a value that was to be removed */
  drop(name: string, ifValue: string | undefined): boolean {
    const value = this.get(name)
    if (value === undefined || (ifValue !== undefined && value !== ifValue)) return false
    this.#delete(name)
    return true
  }

  /** Lists the names that begin so. Lets others run in between: there may be many that do not. */
  async list(prefix: string): Promise<readonly (readonly [string, string])[]> {
    // One that is set again meanwhile comes twice.
    const found = new Map<string, string>()
    let checked = 0
    for (const [name, { value, expiresAt }] of this.#values) {
      if (name.startsWith(prefix) && expiresAt > this.#now()) found.set(name, value)
      if (++checked % CHECKED_AT_ONCE === 0) await nextRound()
    }
    return [...found]
  }

  /** Checks the next `count` names, and removes those that have expired. */
  sweep(count: number): void {
    this.#sweep ??= this.#values.entries()
    const now = this.#now()
    for (let checked = 0; checked < count; checked++) {
      const { done, value } = this.#sweep.next()
      if (done) {
        this.#sweep = undefined
        return
      }
      const [name, { expiresAt }] = value
      if (expiresAt <= now) this.#delete(name)
    }
  }

  /** Removes the name that was used longest ago. @returns whether there was one */
  evict(): boolean {
    const [oldest] = this.#values.keys()
    if (oldest === undefined) return false
    this.#delete(oldest)
    return true
  }

  #delete(name: string): void {
    const named = this.#values.get(name)
    if (!named) return
    this.#values.delete(name)
    this.#bytes -= sizeOf(name, named.value)
  }
}

function sizeOf(name: string, value: string): number {
  return name.length + value.length + NAME_BYTES
}
