import type { Exchange } from '../exchange/exchange.js'
import type { CompleteFormat } from '../formats/index.js'
import { isObject } from '../json/json.js'
import type { RequestBody } from './body.js'

/** More than an app has models and deployments. */
const MOST = 1000

/**
 * Where a provider refused to be asked for usage, and took the same request without the question: by path and model,
 * for behind one gateway are many servers.
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
 * Whether a refusal of the question is about the question. Beside options of the client's own, or a `stream` that is not
 * `true`, it may be about those: a client must not be able to end the questions for all others.
 */
export function mayRefuseUsage({ json, spans }: RequestBody, { usageRequest }: CompleteFormat): boolean {
  if (!usageRequest) return false
  const [field] = usageRequest
  // Of a large body not all is parsed.
  const hasOptions = isObject(json) && (Object.hasOwn(json, field) || spans?.has(field) === true)
  return isObject(json) && json.stream === true && !hasOptions
}

/** Whether the text of an error names the question. */
export function namesUsageRequest(text: Buffer, { usageRequest }: CompleteFormat): boolean {
  return usageRequest?.some((name) => text.includes(name)) === true
}
