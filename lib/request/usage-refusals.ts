import type { Exchange } from '../exchange/exchange.js'
import type { CompleteFormat } from '../formats/index.js'
import { isObject } from '../json/json.js'
import type { RequestBody } from './body.js'

/** More than the models and deployments of an app. */
const MOST = 1000

/**
 * Remembers where a provider rejected the request for usage, and accepted the same request without it. The key is path
 * and model, because a gateway may front many servers.
 */
export class UsageRefusals {
  readonly #places = new Set<string>()

  has(exchange: Exchange): boolean {
    return this.#places.has(placeOf(exchange))
  }

  note(exchange: Exchange): void {
    this.#places.add(placeOf(exchange))
    if (this.#places.size <= MOST) return
    const [oldest] = this.#places
    if (oldest !== undefined) this.#places.delete(oldest)
  }
}

function placeOf({ path, model }: Exchange): string {
  return JSON.stringify([path, model])
}

/**
 * Returns whether a rejection can be blamed on our request for usage. If the client sent options of its own, or a
 * `stream` that is not `true`, those may be to blame: one client must not be able to stop usage requests for all
 * others.
 */
export function mayRefuseUsage({ json, spans }: RequestBody, { usageRequest }: CompleteFormat): boolean {
  if (!usageRequest) return false
  const [field] = usageRequest
  // A large body is only partly parsed.
  const hasOptions = isObject(json) && (Object.hasOwn(json, field) || spans?.has(field) === true)
  return isObject(json) && json.stream === true && !hasOptions
}

/** Returns whether the text of an error mentions the request for usage. */
export function namesUsageRequest(text: Buffer, { usageRequest }: CompleteFormat): boolean {
  return usageRequest?.some((name) => text.includes(name)) === true
}
