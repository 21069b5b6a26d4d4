import type { PolicyExchange } from '../api/policy.js'
import type { ExchangeRecord } from '../api/record.js'
import { atLeast0, usedTokens } from './estimates.js'
import type { QuotaCharge } from './options.js'
import type { QuotaRun } from './quota-run.js'
import { COST_UNITS, MAX_AMOUNT } from './rules.js'

/** What an exchange is charged, in the store's units. */
export interface ChargedAmounts {
  readonly tokens: number
  readonly cost: number
}

/**
 * Returns what an exchange is charged.
 *
 * @param charged what the app wants instead of what it used
 */
export function chargedAmounts(
  run: QuotaRun,
  record: ExchangeRecord,
  exchange: PolicyExchange,
  charged: QuotaCharge | undefined,
): ChargedAmounts {
  const used = usedTokens(record, exchange.reportedTokens, run.input)
  const cost = charged?.cost ?? (used && costOf(record, used.total, exchange, run)) ?? 0
  return inUnits({ tokens: charged?.tokens ?? used?.total ?? 0, cost })
}

/** Returns amounts in the store's units. */
export function inUnits({ tokens = 0, cost = 0 }: QuotaCharge): ChargedAmounts {
  return {
    tokens: Math.min(MAX_AMOUNT, Math.ceil(atLeast0(tokens))),
    cost: Math.min(MAX_AMOUNT, Math.ceil(atLeast0(cost) * COST_UNITS)),
  }
}

function costOf(record: ExchangeRecord, total: number, exchange: PolicyExchange, run: QuotaRun): number | undefined {
  if (run.heldOf('cost') === Number.POSITIVE_INFINITY) return undefined
  // The reported amount and the charged one differ if the stream ended before its input was reported.
  if (record.tokens?.total === total && record.cost !== undefined) return record.cost
  const used = usedTokens(record, exchange.reportedTokens, run.input)
  // A model that only its answer names may have no price: what was held for it is charged.
  return (used && exchange.price(used)) ?? run.heldOf('cost') / COST_UNITS
}
