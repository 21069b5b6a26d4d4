import type { AiProxyOptions } from '../api/options.js'
import type { CostOf } from '../pricing/pricing.js'
import type { HookErrors } from './hook-errors.js'

/** Compiles the options `prices` and `unknownPrice`. */
export function compilePrices(
  _prices: AiProxyOptions['prices'],
  _unknownPrice: AiProxyOptions['unknownPrice'],
  _hookErrors: HookErrors,
): CostOf | undefined {
  return undefined
}
