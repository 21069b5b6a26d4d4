import { debug } from './debug.js'
import type { Exchange, ExchangeRecord } from './exchange.js'
import type { AiProxyStats } from './ledger.js'
import type { Observer } from './observer.js'

/** The observers of a middleware as one; what any of them throws is reported, and changes nothing. */
export class Observers {
  readonly #all: readonly Observer[]
  readonly #host: string
  /** `undefined` where nobody wants to know, which is what a stream's every turn asks. */
  readonly onTurn: ((ms: number) => void) | undefined

  /** @param origin of the target */
  constructor(all: readonly Observer[], origin: string) {
    this.#all = all
    const { protocol, hostname, port } = new URL(origin)
    this.#host = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
    const interested = all.filter((observer) => observer.onTurn)
    this.onTurn = interested.length === 0 ? undefined : (ms) => tellTurn(interested, ms)
  }

  onProxy(stats: () => AiProxyStats): void {
    guarded(this.#all, (observer) => observer.onProxy?.({ stats }))
  }

  /** @returns request headers, of each observer that has some */
  onRequest(exchange: Exchange): Readonly<Record<string, string>>[] {
    if (this.#all.length === 0) return []
    const { id, req, format, model, startedAt, asksForStream: stream } = exchange
    const seen = { id, req, format: format.name, model, stream, startedAt, host: this.#host }
    return guarded(this.#all, (observer) => observer.onRequest?.(seen)).filter((headers) => headers !== undefined)
  }

  onFinish(record: ExchangeRecord): void {
    guarded(this.#all, (observer) => observer.onFinish?.(record))
  }
}

/** Streams take thousands of turns a second: nothing is made anew for each. */
function tellTurn(interested: readonly Observer[], ms: number): void {
  for (const observer of interested) {
    try {
      observer.onTurn?.(ms)
    } catch (error) {
      debug.request('an observer threw: %O', error)
    }
  }
}

function guarded<T>(observers: readonly Observer[], tell: (observer: Observer) => T): (T | undefined)[] {
  return observers.map((observer) => {
    try {
      return tell(observer)
    } catch (error) {
      debug.request('an observer threw: %O', error)
      return undefined
    }
  })
}
