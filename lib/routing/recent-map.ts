import { createHash } from 'node:crypto'
import type { Clock } from './clock.js'

interface Entry {
  readonly value: string
  readonly expiresAt: number
}

/**
 * Remembers a string for each of the most recently used keys, for some time after its last use.
 *
 * Clients and providers choose the keys. The map holds their hashes: a key may be long, or a slice that would keep the
 * whole body alive.
 */
export class RecentMap {
  readonly #clock: Clock
  readonly #ttlMs: number
  readonly #max: number
  /** The one that was used least recently comes first. */
  readonly #entries = new Map<string, Entry>()

  constructor(clock: Clock, ttlMs: number, max: number) {
    this.#clock = clock
    this.#ttlMs = ttlMs
    this.#max = max
  }

  get size(): number {
    return this.#entries.size
  }

  /** Returns the value of a key, which is a use. */
  get(key: string): string | undefined {
    // Most often there is nothing, and hashing takes some µs.
    if (this.#entries.size === 0) return undefined
    const hash = hashOf(key)
    const entry = this.#entries.get(hash)
    if (!entry) return undefined
    this.#put(hash, entry.expiresAt > this.#clock.now() ? entry.value : undefined)
    return this.#entries.get(hash)?.value
  }

  /** Sets the value of a key; `undefined` forgets it. */
  set(key: string, value: string | undefined): void {
    if (value === undefined && this.#entries.size === 0) return
    this.#put(hashOf(key), value)
  }

  #put(hash: string, value: string | undefined): void {
    this.#entries.delete(hash)
    if (value !== undefined) this.#entries.set(hash, { value, expiresAt: this.#clock.now() + this.#ttlMs })
    for (const [oldest, { expiresAt }] of this.#entries) {
      if (this.#entries.size <= this.#max && expiresAt > this.#clock.now()) return
      this.#entries.delete(oldest)
    }
  }
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('base64')
}
