import type { ExchangeRecord } from '../api/record.js'

/**
 * Options for which models get a label value of their own. `express-ai-proxy/opentelemetry` exports it, too.
 *
 * @category express-ai-proxy/prometheus
 */
export interface ModelNameOptions {
  /** Names of models that always have a label value of their own. Default: none. */
  models?: readonly string[]
  /**
   * Maximum number of further names that get a label value of their own; later ones share one. A name gets its own with
   * the first request for it that the provider answers successfully. Names that clients make up therefore cannot use up
   * the maximum, unless the provider accepts any name, as some local servers do. A failure of the provider (429, 500
   * and up) also gives a name its own value, for at most half of the maximum, so that an outage shows the model
   * concerned. 0: only `models` have one. Default 100.
   */
  maxModels?: number
}

/**
 * Maps model names to a bounded number of label values: each value creates new time series, which are never removed.
 */
export class ModelNames {
  readonly #names: Set<string>
  readonly #other: string
  #remaining: number
  /** How many of those may be given to models that have only failed. */
  #remainingForFailed: number

  /** @param other the value that all further names share */
  constructor({ models = [], maxModels = 100 }: ModelNameOptions, other: string) {
    this.#names = new Set(models)
    this.#remaining = maxModels
    this.#remainingForFailed = Math.floor(maxModels / 2)
    this.#other = other
  }

  /** Returns the label value for the model that an exchange's request names; `undefined` if it names none. */
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
 * Returns whether the provider accepted the request. The status alone is not enough: a response that was opened early
 * has 200 whatever the provider answers later.
 */
function hasSucceeded({ status = 0, code, firstByteMs }: ExchangeRecord): boolean {
  return status >= 200 && status < 300 && code === undefined && firstByteMs !== undefined
}

/**
 * Returns whether the provider failed or was too busy, and so probably knows the model: an unknown name gets 400 or
 * 404.
 */
function failedAtProvider({ providerStatus = 0 }: ExchangeRecord): boolean {
  return providerStatus === 429 || providerStatus >= 500
}
