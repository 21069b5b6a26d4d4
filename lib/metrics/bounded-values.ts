import type { ExchangeRecord } from '../api/record.js'

/**
 * Maps what a label may say to a bounded number of values: each value creates new time series, which are never removed.
 *
 * A value is given its own with the first exchange that the provider answers successfully, so that values that clients
 * make up cannot use up the bound. A failure of the provider also gives a value its own, for at most half of the bound,
 * so that an outage shows what it affects.
 */
export class BoundedValues {
  readonly #values: Set<string>
  readonly #other: string
  #remaining: number
  /** How many of those may be given to values that have only failed. */
  #remainingForFailed: number

  /**
   * @param listed values that always have their own, and do not count
   * @param max number of further ones; `false` for no maximum
   * @param other the value that all others share
   */
  constructor(listed: readonly string[], max: number | false, other: string) {
    this.#values = new Set(listed)
    this.#remaining = max === false ? Number.POSITIVE_INFINITY : max
    this.#remainingForFailed = Math.floor(this.#remaining / 2)
    this.#other = other
  }

  /** Returns what to count an exchange under; `undefined` if it has no value. */
  of(value: string | undefined, record: ExchangeRecord): string | undefined {
    if (value === undefined || this.#values.has(value)) return value
    if (this.#remaining <= 0) return this.#other
    if (!hasSucceeded(record)) {
      if (this.#remainingForFailed <= 0 || !failedAtProvider(record)) return this.#other
      this.#remainingForFailed--
    }
    this.#remaining--
    this.#values.add(value)
    return value
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
