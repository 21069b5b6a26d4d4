import type { ExchangeRecord } from '../api/record.js'
import type { Exchange } from '../exchange/exchange.js'
import { recordOf } from '../exchange/record-of.js'
import type { Config } from '../options/config.js'

/** Notifies the policies of an exchange of its end, unless it has done so before. */
export function settlePolicies(exchange: Exchange, record: ExchangeRecord): void {
  const { policies } = exchange
  exchange.policies = undefined
  policies?.settle(isAnothers(record) ? withoutUsage(record) : record)
}

/**
 * Tells the policies that an exchange gets the answer of another, and so asks no provider: what they hold for it, others can
 * use while that answer goes out. The app's labels are for the record of its end.
 */
export function settlePoliciesOfShared(exchange: Exchange, { costOf }: Config): void {
  if (exchange.policies) settlePolicies(exchange, recordOf(exchange, undefined, costOf))
}

/** The provider answered somebody else. */
function isAnothers({ cache }: ExchangeRecord): boolean {
  return cache === 'hit' || cache === 'join'
}

/** What another is charged for must not be charged twice. */
function withoutUsage(record: ExchangeRecord): ExchangeRecord {
  return { ...record, usage: undefined, tokens: undefined }
}
