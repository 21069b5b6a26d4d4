import { EventEmitter, once } from 'node:events'
import type { ExchangeRecord } from 'express-ai-proxy'

/** The records of the last exchanges, in memory, each under the id it was added with. */
export class Records {
  readonly #byId = new Map<string, ExchangeRecord>()
  readonly #added = new EventEmitter().setMaxListeners(0)
  readonly #keep: number

  constructor(keep = 200) {
    this.#keep = keep
  }

  add(id: string, record: ExchangeRecord): void {
    this.#byId.delete(id)
    this.#byId.set(id, record)
    const [oldest] = this.#byId.keys()
    if (this.#byId.size > this.#keep && oldest !== undefined) this.#byId.delete(oldest)
    this.#added.emit(`record ${id}`, record)
  }

  /**
   * The record for `id`. A client may ask a moment before its exchange is over (it has read the last byte, or has just
   * left), so an unknown id is waited for, `waitMs` at most.
   */
  async get(id: string, waitMs = 2000): Promise<ExchangeRecord | undefined> {
    const known = this.#byId.get(id)
    if (known) return known
    return once(this.#added, `record ${id}`, { signal: AbortSignal.timeout(waitMs) }).then(
      ([record]) => record,
      () => undefined,
    )
  }
}
