import type { AttemptRecord } from '../api/attempt-record.js'
import type { PolicyExchange } from '../api/policy.js'
import type { ExchangeRecord } from '../api/record.js'
import type { Tokens } from '../formats/tokens.js'

/** About how many bytes the JSON of an English chat has per token, punctuation included; other text has more. */
const BYTES_PER_TOKEN = 4

/** Returns tokens of which only input and output are known. */
export function tokensFrom(input: number, output: number): Tokens {
  const none = { cachedInput: 0, cacheWrite: 0, reasoning: 0 }
  return { ...none, uncachedInput: input, visibleOutput: output, total: input + output }
}

/** Returns the input that a request has, by its size. */
export function inputBySize({ requestBytes }: Pick<PolicyExchange, 'requestBytes'>): number {
  return Math.ceil(requestBytes / BYTES_PER_TOKEN)
}

/** Outcomes in which the provider failed: it bills what it has reported, if anything. */
const FAILED: ReadonlySet<string> = new Set(['upstream_error', 'provider_error'])

/** Codes of attempts whose request could not be made: a function of the app failed or was late, the exchange ended first, or the target has no name for the model. */
const UNSENT: ReadonlySet<string | undefined> = new Set([
  ...['credentials_unavailable', 'internal_error', 'model_not_found', 'unprepared'],
  ...['invalid_request', 'unsupported_media_type'],
])

/** Returns whether an attempt sent nothing. */
export function isUnsent({ status, code }: AttemptRecord): boolean {
  return status === undefined && UNSENT.has(code)
}

/** Returns whether a provider did nothing in an attempt: it was not asked, not reached, or has refused. */
function wasIdle(attempt: AttemptRecord): boolean {
  return isUnsent(attempt) || attempt.code === 'upstream_unreachable' || (attempt.status ?? 0) >= 400
}

/**
 * Returns what an exchange has used.
 *
 * @param reported what the provider has reported
 * @param input the estimate of its input, for a stream that ended before the provider reported it
 * @returns `undefined` if it used nothing
 */
export function usedTokens(record: ExchangeRecord, reported: Tokens | undefined, input: number): Tokens | undefined {
  const { tokens, usage, outcome, attempts, providerStatus } = record
  if ((providerStatus ?? 0) >= 400 || attempts.every(wasIdle)) return undefined
  if (FAILED.has(outcome)) return reported
  if (outcome === 'completed' && !tokens) return undefined
  const known = tokens ?? tokensFrom(0, 0)
  const reportedInput = known.uncachedInput + known.cachedInput + known.cacheWrite
  const lacksInput = reportedInput === 0 && (usage === undefined || usage.estimated)
  return lacksInput ? withParts(known, { uncachedInput: input }) : known
}

function withParts(tokens: Tokens, parts: Partial<Omit<Tokens, 'total'>>): Tokens {
  const { total: _, ...all } = { ...tokens, ...parts }
  return { ...all, total: Object.values(all).reduce((sum, part) => sum + part, 0) }
}

/** Returns an amount that a provider or its prices gave; 0 if it makes no sense. */
export function atLeast0(amount: number): number {
  return amount > 0 && Number.isFinite(amount) ? amount : 0
}
