import type { ObservedExchange, Observer } from '../api/observer.js'
import type { ExchangeRecord } from '../api/record.js'
import type { AiProxyStats } from '../api/stats.js'
import { isObject } from '../json/json.js'
import { type HookErrors, HookFault } from '../options/hook-errors.js'
import { headerFault } from '../util/header-fault.js'
import { memoize } from '../util/memoize.js'
import { catchRejection } from '../util/promises.js'
import { kindOf } from '../util/shown.js'
import type { AttemptEntry } from './attempts.js'
import type { Exchange } from './exchange.js'

/** Calls all observers of a middleware. What one of them throws is reported, and has no other effect. */
export class Observers {
  readonly #all: readonly Observer[]
  /** `undefined` if no observer implements `onTurn`: the hot path then costs one check. */
  readonly onTurn: ((ms: number) => void) | undefined

  readonly #report: (error: unknown) => void

  constructor(all: readonly Observer[], hookErrors: HookErrors) {
    this.#all = all
    this.#report = (error) => hookErrors.report('observers', error)
    const interested = all.filter((observer) => observer.onTurn)
    this.onTurn = interested.length === 0 ? undefined : (ms) => notifyTurn(interested, ms, this.#report)
  }

  onProxy(stats: () => AiProxyStats): void {
    this.#guarded((observer) => observer.onProxy?.({ stats }))
  }

  /**
   * @param origin of the target that is asked first
   * @returns the request headers of each observer that returns some
   */
  onRequest(exchange: Exchange, origin: string): Readonly<Record<string, string>>[] {
    if (this.#all.length === 0) return []
    const seen = observed(exchange, origin)
    return this.#headers((observer) => observer.onRequest?.(seen))
  }

  /**
   * @param first origin of the target that is asked first
   * @param origin of the target of this attempt
   * @returns the request headers of each observer that returns some
   */
  onAttempt(
    exchange: Exchange,
    first: string,
    { target, model, hedged, startedAt }: AttemptEntry,
    origin: string,
  ): Readonly<Record<string, string>>[] {
    if (this.#all.length === 0) return []
    const seen = observed(exchange, first)
    const attempt = { target, host: hostOf(origin), model, number: exchange.attempts.count, hedged, startedAt }
    return this.#headers((observer) => observer.onAttempt?.(attempt, seen))
  }

  onFinish(record: ExchangeRecord): void {
    this.#guarded((observer) => observer.onFinish?.(record))
  }

  #headers(
    call: (observer: Observer) => Readonly<Record<string, string>> | undefined,
  ): Readonly<Record<string, string>>[] {
    return this.#guarded((observer) => checkHeaders(call(observer), this.#report)).filter(
      (headers) => headers !== undefined,
    )
  }

  #guarded<T>(call: (observer: Observer) => T): (T | undefined)[] {
    return this.#all.map((observer) => {
      try {
        const result = call(observer)
        // An async function's rejection would otherwise be unhandled, and end the process.
        catchRejection(result, this.#report)
        return result
      } catch (error) {
        this.#report(error)
        return undefined
      }
    })
  }
}

function observed(exchange: Exchange, origin: string): ObservedExchange {
  const { id, req, format, model, startedAt, asksForStream: stream } = exchange
  const { id: subject, tenant } = exchange.subject ?? {}
  return { id, req, format: format.name, model, stream, subject, tenant, startedAt, host: hostOf(origin) }
}

/** Returns host and port of an origin. Memoized: a middleware has few. */
const hostOf = memoize((origin) => {
  const { protocol, hostname, port } = new URL(origin)
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
})

/** @throws TypeError if one of them cannot be sent to the provider */
function checkHeaders(
  headers: Readonly<Record<string, string>> | undefined,
  report: (error: unknown) => void,
): Readonly<Record<string, string>> | undefined {
  if (headers === undefined) return undefined
  const isPromise = catchRejection(headers, report)
  if (!isObject(headers) || isPromise) {
    throw new HookFault(`an observer must give headers as an object; got ${kindOf(headers)}`)
  }
  for (const [name, value] of Object.entries(headers)) {
    const fault = headerFault(name, value)
    if (fault) throw new HookFault(`an observer gave a header that cannot go to the provider: ${fault}`)
  }
  return headers
}

/** Streams take thousands of turns a second: nothing is allocated per turn. */
function notifyTurn(interested: readonly Observer[], ms: number, report: (error: unknown) => void): void {
  for (const observer of interested) {
    try {
      catchRejection(observer.onTurn?.(ms), report)
    } catch (error) {
      report(error)
    }
  }
}
