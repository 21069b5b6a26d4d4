import type { ExchangeRecord, Tokens } from 'express-ai-proxy'

/** US dollars per million tokens. */
interface Price {
  input: number
  output: number
  /** Input that is read from a cache. Default: unknown, so an answer that has such tokens shows no cost. */
  cachedInput?: number
  /** Input that is written to a cache. Default: unknown, as above. */
  cacheWrite?: number
}

/** A record as the pages get it. */
export type PricedRecord = ExchangeRecord & {
  /** US dollars; absent unless the price of each token is known. */
  costUsd?: number
}

/** Prices by model name. */
export type Prices = Readonly<Record<string, Price>>

const EXAMPLE = '{"gpt-4.1-mini": {"input": 0.4, "output": 1.6, "cachedInput": 0.1}}'

/**
 * Reads `MODEL_PRICES`, which is JSON. No price is built in: it would soon be out of date, and a wrong cost is worse than
 * none.
 *
 * @throws if it is not an object of prices
 */
export function parsePrices(text: string | undefined): Prices {
  if (!text) return {}
  const invalid = new Error(`MODEL_PRICES must be JSON in dollars per million tokens, such as ${EXAMPLE}`)
  let prices: unknown
  try {
    prices = JSON.parse(text)
  } catch {
    throw invalid
  }
  if (!isObject(prices) || !Object.values(prices).every(isPrice)) throw invalid
  return prices as Prices
}

/** Adds to a record what its exchange cost, if that is known. */
export function withCost(record: ExchangeRecord, prices: Prices): PricedRecord {
  const costUsd = costOf(prices, record.model, record.tokens) ?? costOf(prices, record.responseModel, record.tokens)
  return { ...record, ...(costUsd !== undefined && { costUsd }) }
}

/** What an exchange cost, in US dollars; `undefined` unless the price of each of its tokens is known. */
function costOf(prices: Prices, model: string | undefined, tokens: Tokens | undefined): number | undefined {
  const price = model !== undefined && Object.hasOwn(prices, model) ? prices[model] : undefined
  if (!price || !tokens) return undefined
  const parts: [count: number, price: number | undefined][] = [
    [tokens.uncachedInput, price.input],
    [tokens.cachedInput, price.cachedInput],
    [tokens.cacheWrite, price.cacheWrite],
    [tokens.visibleOutput + tokens.reasoning, price.output],
  ]
  let dollars = 0
  for (const [count, perMillion] of parts) {
    if (count === 0) continue
    if (perMillion === undefined) return undefined
    dollars += (count * perMillion) / 1e6
  }
  return dollars
}

function isPrice(value: unknown): boolean {
  if (!isObject(value)) return false
  const { input, output, cachedInput = 0, cacheWrite = 0 } = value
  return [input, output, cachedInput, cacheWrite].every((part) => typeof part === 'number' && part >= 0)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
