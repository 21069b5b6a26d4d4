import type { ExchangeRecord } from '../api/record.js'

/**
 * Which models get a label value of their own. `express-ai-proxy/opentelemetry` exports it, too.
 *
 * @category express-ai-proxy/prometheus
 */
export interface ModelNameOptions {
  /** Names of models that always have a label value of their own. Default: none. */
  models?: readonly string[]
  /**
   * How many names beside `models` may get a label value of their own; later ones share one. A name gets its own with
   * the first request for it that the provider answers with success, so that names which clients make up cannot use
   * them up, unless the provider answers to any name, as some local servers do. So that an outage shows the model that it
   * is about, a failure of the provider's own (429, 500 and up) names one as well, for at most half of them.
   * 0: only `models` have one. Default 100.
   */
  maxModels?: number
}

/** Names of models as label values, bounded in number: each value makes new time series, which are never given up. */
export class ModelNames {
  readonly #names: Set<string>
  readonly #other: string
  #remaining: number
  /** Of those, how many may be given to models that have only failed. */
  #remainingForFailed: number

  /** @param other the value that all further names share */
  constructor({ models = [], maxModels = 100 }: ModelNameOptions, other: string) {
    this.#names = new Set(models)
    this.#remaining = maxModels
    this.#remainingForFailed = Math.floor(maxModels / 2)
    this.#other = other
  }

  /** The value for an exchange's model, which is the one that its request names; `undefined` where none is named. */
  of(record: ExchangeRecord): string | undefined {
    const name = record.model ?? record.responseModel
    if (name === undefined || this.#names.has(name)) return name
    if (this.#remaining <= 0) return this.#other
    if (!hasSucceeded(record)) {
      if (this.#remainingForFailed <= 0 || !failedAtProvider(record)) return this.#other
      this.#remainingForFailed--
    }
    this.#remaining--
    this.#names.add(name)
    return name
  }
}

/**
 * The provider took the request. A status is not enough: a response that was opened early has 200 whatever the provider
 * says later.
 */
function hasSucceeded({ status = 0, code, firstByteMs }: ExchangeRecord): boolean {
  return status >= 200 && status < 300 && code === undefined && firstByteMs !== undefined
}

/** The provider took the name for a model's, as it seems, and failed or was too busy. An unknown name gets 400 or 404. */
function failedAtProvider({ providerStatus = 0 }: ExchangeRecord): boolean {
  return providerStatus === 429 || providerStatus >= 500
}
