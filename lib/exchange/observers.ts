import type { Observer } from '../api/observer.js'
import type { ExchangeRecord } from '../api/record.js'
import type { AiProxyStats } from '../api/stats.js'
import { isObject } from '../json/json.js'
import { type HookErrors, HookFault } from '../options/hook-errors.js'
import { headerFault } from '../util/header-fault.js'
import { catchRejection } from '../util/promises.js'
import type { Exchange } from './exchange.js'

/** The observers of a middleware as one; what any of them throws is reported, and changes nothing. */
export class Observers {
  readonly #all: readonly Observer[]
  readonly #host: string
  /** `undefined` where nobody wants to know, which is what a stream's every turn asks. */
  readonly onTurn: ((ms: number) => void) | undefined

  readonly #report: (error: unknown) => void

  /** @param origin of the target */
  constructor(all: readonly Observer[], origin: string, hookErrors: HookErrors) {
    this.#all = all
    this.#report = (error) => hookErrors.report('observers', error)
    const { protocol, hostname, port } = new URL(origin)
    this.#host = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
    const interested = all.filter((observer) => observer.onTurn)
    this.onTurn = interested.length === 0 ? undefined : (ms) => tellTurn(interested, ms, this.#report)
  }

  onProxy(stats: () => AiProxyStats): void {
    this.#guarded((observer) => observer.onProxy?.({ stats }))
  }

  /** @returns request headers, of each observer that has some */
  onRequest(exchange: Exchange): Readonly<Record<string, string>>[] {
    if (this.#all.length === 0) return []
    const { id, req, format, model, startedAt, asksForStream: stream } = exchange
    const seen = { id, req, format: format.name, model, stream, startedAt, host: this.#host }
    return this.#guarded((observer) => sound(observer.onRequest?.(seen), this.#report)).filter(
      (headers) => headers !== undefined,
    )
  }

  onFinish(record: ExchangeRecord): void {
    this.#guarded((observer) => observer.onFinish?.(record))
  }

  #guarded<T>(tell: (observer: Observer) => T): (T | undefined)[] {
    return this.#all.map((observer) => {
      try {
        const told = tell(observer)
        // An async function's failure would otherwise be nobody's, and end the process.
        catchRejection(told, this.#report)
        return told
      } catch (error) {
        this.#report(error)
        return undefined
      }
    })
  }
}

/** @throws TypeError where one of them cannot go to the provider */
function sound(
  headers: Readonly<Record<string, string>> | undefined,
  report: (error: unknown) => void,
): Readonly<Record<string, string>> | undefined {
  if (headers === undefined) return undefined
  const isPromise = catchRejection(headers, report)
  if (!isObject(headers) || isPromise) throw new HookFault('an observer gives headers as an object')
  for (const [name, value] of Object.entries(headers)) {
    const fault = headerFault(name, value)
    if (fault) throw new HookFault(`an observer gave a header that cannot go to the provider: ${fault}`)
  }
  return headers
}

/** Streams take thousands of turns a second: nothing is made anew for each. */
function tellTurn(interested: readonly Observer[], ms: number, report: (error: unknown) => void): void {
  for (const observer of interested) {
    try {
      catchRejection(observer.onTurn?.(ms), report)
    } catch (error) {
      report(error)
    }
  }
}
