import type { ModelPrices, PricedUsage, PriceFunction, Prices, UnknownPrice } from '../api/prices.js'
import { PriceTable } from '../pricing/price-table.js'
import type { CostOf } from '../pricing/pricing.js'
import { isSameModel } from '../pricing/same-model.js'
import { hasMembers } from '../util/has-members.js'
import { shownResult } from '../util/shown.js'
import { type HookErrors, HookFault } from './hook-errors.js'
import { check, hint, invalidOption, objectOf, orDefault } from './validate.js'

const PART_NAMES = ['input', 'cachedInput', 'cacheWrite', 'output', 'reasoning'] as const

/** Below this, a price per million would make a billion tokens cost less than ten cents: it is a price per token. */
const LEAST_PER_MILLION = 1e-4

/**
 * Compiles the options `prices` and `unknownPrice`.
 *
 * @throws TypeError if a price is no number of at least 0, or one per token; if `unknownPrice` has no prices to choose from
 */
export function compilePrices(
  prices: Prices | undefined,
  unknownPrice: UnknownPrice | undefined,
  hookErrors: HookErrors,
): CostOf | undefined {
  const unknown = checkedUnknown(orDefault<UnknownPrice>(unknownPrice, 'refuse'))
  if (prices === undefined) {
    if (unknownPrice !== undefined) invalidOption('unknownPrice', unknownPrice, 'no value without the option `prices`')
    return undefined
  }
  if (typeof prices === 'function') {
    if (unknown === 'highest') {
      invalidOption('unknownPrice', unknown, "'refuse' or 0 if `prices` is a function, which has no highest price")
    }
    return withFallback(guarded(prices, hookErrors), unknown === 0 ? () => 0 : undefined)
  }
  const table = checkedTable(prices)
  const highest = (used: PricedUsage) => table.highestPriceOf(used)
  return withFallback(table.priceOf, unknown === 'highest' ? highest : unknown === 0 ? () => 0 : undefined)
}

function withFallback(priceOf: PriceFunction, fallback: ((used: PricedUsage) => number) | undefined): CostOf {
  return (used) => {
    // Nothing was generated, or nothing was asked.
    if (!used.tokens && used.attempts.length === 0) return { cost: 0, isAssumed: false }
    const cost = priceOf(used)
    if (cost !== undefined) return { cost, isAssumed: isGuess(used, priceOf) }
    // An exchange without tokens costs nothing by a table, whatever its model is.
    return { cost: fallback?.(used) ?? (used.tokens ? undefined : 0), isAssumed: fallback !== undefined }
  }
}

/** Returns whether the price is of the model that was asked for, while another one answered that has no price. */
function isGuess(used: PricedUsage, priceOf: PriceFunction): boolean {
  const { responseModel: model, attempts, target } = used
  const asked = attempts.findLast((attempt) => attempt.target === target)?.model ?? used.model
  if (model === undefined || asked === undefined || isSameModel(asked, model)) return false
  return priceOf({ ...used, model, attempts: attempts.map((attempt) => ({ ...attempt, model })) }) === undefined
}

/** What the app's function throws is reported, and counts as an unknown price. */
function guarded(prices: PriceFunction, hookErrors: HookErrors): PriceFunction {
  return (used) => {
    try {
      const cost: unknown = prices(used)
      if (cost === undefined || (typeof cost === 'number' && cost >= 0 && Number.isFinite(cost))) return cost
      throw new HookFault(`prices must return a number of at least 0, or undefined, at once; got ${shownResult(cost)}`)
    } catch (error) {
      hookErrors.report('prices', error)
      return undefined
    }
  }
}

function checkedTable(prices: unknown): PriceTable {
  const takes = "prices by the models' names, or a function"
  if (!hasMembers(prices)) invalidOption('prices', prices, takes)
  for (const [model, given] of Object.entries(prices as Record<string, ModelPrices>)) {
    const option = `prices[${JSON.stringify(model)}]`
    const parts = objectOf(option, given, PART_NAMES)
    for (const part of PART_NAMES) checkPrice(`${option}.${part}`, parts[part], part === 'input' || part === 'output')
  }
  return new PriceTable(prices as Record<string, ModelPrices>)
}

function checkPrice(option: string, price: number | undefined, isRequired: boolean): void {
  if (price === undefined && !isRequired) return
  const per = 'a price per million tokens'
  check.number(option, price as number, { from: 0 })
  if ((price as number) > 0 && (price as number) < LEAST_PER_MILLION) {
    invalidOption(option, hint(`${price}, which looks like a price per token`), per)
  }
}

function checkedUnknown(unknown: UnknownPrice): UnknownPrice {
  if (unknown === 'refuse' || unknown === 'highest' || unknown === 0) return unknown
  return invalidOption('unknownPrice', unknown, "'refuse', 'highest' or 0")
}
