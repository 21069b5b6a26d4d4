import type { ExchangeRecord } from './record.js'

/** Prices of a model, per million tokens, in one currency for all models. */
export interface ModelPrices {
  /** Input that no cache is involved in. */
  readonly input: number
  /** Input that was read from a cache. Default: the price of `input`. */
  readonly cachedInput?: number | undefined
  /** Input that was written to a cache. Default: the price of `input`. */
  readonly cacheWrite?: number | undefined
  /** Output. */
  readonly output: number
  /** Reasoning. Default: the price of `output`. */
  readonly reasoning?: number | undefined
}

/**
 * What a price depends on: a record, or what is known of an exchange while it is under way. `attempts` has then the one attempt
 * that is to be priced, which may not have begun.
 */
export type PricedUsage = Pick<
  ExchangeRecord,
  | 'model'
  | 'responseModel'
  | 'target'
  | 'attempts'
  | 'format'
  | 'path'
  | 'stream'
  | 'subject'
  | 'tenant'
  | 'tokens'
  | 'usage'
>

/** Returns what an exchange costs; `undefined` if its model has no price. Must return at once. */
export type PriceFunction = (used: PricedUsage) => number | undefined

/**
 * Prices by the models' names; or a function. A model is looked up by the name in the answer, then by the name that its target
 * was asked for, then by the client's. Names must be the same, letter for letter: `gpt-4o` says nothing of
 * `gpt-4o-2024-05-13`, which costs more, unless the client asked for `gpt-4o`.
 */
export type Prices = Readonly<Record<string, ModelPrices>> | PriceFunction

/**
 * What a model without a price costs: `'refuse'` lets no limit on money pass its requests (403 `price_unknown`), and leaves
 * `cost` in the record `undefined`; `'highest'` takes the highest price of the table; `0` nothing.
 */
export type UnknownPrice = 'refuse' | 'highest' | 0
