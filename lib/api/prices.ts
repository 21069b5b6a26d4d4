import type { ExchangeRecord } from './record.js'

/** Prices of a model, per million tokens, in one currency for all models. */
export interface ModelPrices {
  /** Input without a cache. */
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
 * What a price depends on: a record, or what is known of an exchange while it is under way. In the latter case `attempts` holds the one
 * attempt to price, which may not have begun.
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
 * was asked for, then by the client's. Names must match exactly: the price of `gpt-4o` does not
 * apply to `gpt-4o-2024-05-13`, which costs more, unless the client asked for `gpt-4o`.
 */
export type Prices = Readonly<Record<string, ModelPrices>> | PriceFunction

/**
 * The price of a model that has none. `'refuse'`: limits on money refuse its requests (403 `price_unknown`), and `cost` in
 * the record is `undefined`. `'highest'`: the highest price in the table. `0`: nothing.
 */
export type UnknownPrice = 'refuse' | 'highest' | 0
