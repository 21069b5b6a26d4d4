import type { Exchange } from '../exchange/exchange.js'
import type { CompleteFormat } from '../formats/index.js'
import { isObject } from '../json/json.js'
import type { RequestBody } from './body.js'

/** More than the models and deployments of an app. */
const MAX_ENTRIES = 1000

/**
 * Remembers where a provider rejected the request for usage, and accepted the same request without it. The key is path
 * and model, because a gateway may front many servers.
 */
export class UsageRefusals {
  readonly #keys = new Set<string>()

  has(exchange: Exchange): boolean {
    return this.#keys.size > 0 && this.#keys.has(keyOf(exchange))
  }

  add(exchange: Exchange): void {
    this.#keys.add(keyOf(exchange))
    if (this.#keys.size <= MAX_ENTRIES) return
    const [oldest] = this.#keys
    if (oldest !== undefined) this.#keys.delete(oldest)
  }
}

function keyOf({ path, model }: Exchange): string {
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
