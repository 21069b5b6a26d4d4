import type { PolicyExchange } from '../api/policy.js'
import type { Tokens } from '../formats/tokens.js'
import { tokensFrom } from './estimates.js'
import type { QuotaRun } from './quota-run.js'
import { COST_UNITS } from './rules.js'

/** Returns what a stream has used by now: as reported, and as estimated beyond that. */
export function usedSoFar(run: QuotaRun, { tokens, reportedTokens, generatedTokens }: PolicyExchange): Tokens {
  const input = inputIn(reportedTokens)
  if (!tokens || input === 0) return tokensFrom(run.input, generatedTokens)
  const { visibleOutput, reasoning } = tokens
  const beyond = Math.max(0, generatedTokens - visibleOutput - reasoning)
  return { ...tokens, visibleOutput: visibleOutput + beyond, total: tokens.total + beyond }
}

/** Returns how much of what it holds an exchange has used, of the limit of which that is most. */
export function usedShare(run: QuotaRun, exchange: PolicyExchange): [number, 'tokens' | 'cost'] {
  const used = usedSoFar(run, exchange)
  const byTokens = used.total / run.heldOf('tokens')
  if (run.heldOf('cost') === Number.POSITIVE_INFINITY) return [byTokens, 'tokens']
  const byCost = ((exchange.price(used) ?? 0) * COST_UNITS) / run.heldOf('cost')
  return byCost > byTokens ? [byCost, 'cost'] : [byTokens, 'tokens']
}

/** Returns from how many generated tokens on the exchange may have used up what it holds. */
export function boundOf(run: QuotaRun, exchange: PolicyExchange): number {
  // The reported input may be more than the estimate.
  const input = Math.max(run.input, inputIn(exchange.reportedTokens))
  const byTokens = run.heldOf('tokens') - input
  const perToken = (exchange.price(tokensFrom(0, 1)) ?? 0) * COST_UNITS
  const ofInput = (exchange.price(tokensFrom(input, 0)) ?? 0) * COST_UNITS
  const byCost = perToken > 0 ? (run.heldOf('cost') - ofInput) / perToken : Number.POSITIVE_INFINITY
  return Math.max(0, Math.floor(Math.min(byTokens, byCost)))
}

function inputIn(tokens: Tokens | undefined): number {
  return tokens ? tokens.uncachedInput + tokens.cachedInput + tokens.cacheWrite : 0
}
