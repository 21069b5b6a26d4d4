import type { ModelPrices, PricedUsage, PriceFunction } from '../api/prices.js'
import type { Tokens } from '../formats/tokens.js'
import { modelNames } from './model-names.js'

/** Prices are per this many tokens. */
const PER = 1_000_000

/** A price for each part of {@link Tokens}, which do not overlap: each token is charged once. */
interface PartPrices {
  readonly uncachedInput: number
  readonly cachedInput: number
  readonly cacheWrite: number
  readonly visibleOutput: number
  readonly reasoning: number
}

const PARTS = ['uncachedInput', 'cachedInput', 'cacheWrite', 'visibleOutput', 'reasoning'] as const

/** Prices of models, by their names. */
export class PriceTable {
  readonly #prices: ReadonlyMap<string, PartPrices>

  constructor(table: Readonly<Record<string, ModelPrices>>) {
    this.#prices = new Map(Object.entries(table).map(([model, prices]) => [model, partPrices(prices)]))
  }

  /** Returns what an exchange costs; `undefined` if its model has no price. */
  readonly priceOf: PriceFunction = (used) => {
    const prices = modelNames(used)
      .map((name) => this.#prices.get(name))
      .find((found) => found !== undefined)
    return prices && costOf(used.tokens, prices)
  }

  /** Returns what it costs at the highest price that the table has for each part. */
  highestPriceOf({ tokens }: PricedUsage): number {
    const all = [...this.#prices.values()]
    const highest = Object.fromEntries(PARTS.map((part) => [part, Math.max(0, ...all.map((prices) => prices[part]))]))
    return costOf(tokens, highest as unknown as PartPrices)
  }
}

function partPrices({ input, cachedInput, cacheWrite, output, reasoning }: ModelPrices): PartPrices {
  return {
    uncachedInput: input,
    cachedInput: cachedInput ?? input,
    cacheWrite: cacheWrite ?? input,
    visibleOutput: output,
    reasoning: reasoning ?? output,
  }
}

function costOf(tokens: Tokens | undefined, prices: PartPrices): number {
  if (!tokens) return 0
  return PARTS.reduce((sum, part) => sum + tokens[part] * prices[part], 0) / PER
}
