import { EventEmitter, once } from 'node:events'
import type { ExchangeRecord } from 'express-ai-proxy'

/** Keeps the records of the last exchanges in memory, each under the key that it was added with. */
export class RecentRecords {
  readonly #byKey = new Map<string, ExchangeRecord>()
  readonly #added = new EventEmitter().setMaxListeners(0)
  readonly #capacity: number

  constructor(capacity = 200) {
    this.#capacity = capacity
  }

  /** Adds a record; the oldest one goes if there are too many. */
  add(key: string, record: ExchangeRecord): void {
    this.#byKey.delete(key)
    this.#byKey.set(key, record)
    const [oldest] = this.#byKey.keys()
    if (this.#byKey.size > this.#capacity && oldest !== undefined) this.#byKey.delete(oldest)
    this.#added.emit(`record ${key}`, record)
  }

  /**
   * Gets a record. A client may ask a moment before its exchange has ended, when it has read the last byte or has just
   * left, so this waits for a key that is not there yet.
   *
   * @param waitMs how long, in milliseconds
   */
  async get(key: string, waitMs = 2000): Promise<ExchangeRecord | undefined> {
    const known = this.#byKey.get(key)
    if (known) return known
    return once(this.#added, `record ${key}`, { signal: AbortSignal.timeout(waitMs) }).then(
      ([record]) => record,
      () => undefined,
    )
  }
}
