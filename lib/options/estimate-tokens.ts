import type { EstimateTokens } from '../api/options.js'
import { ignoreRejection } from '../util/promises.js'
import { kindOf } from '../util/shown.js'
import { HookFault } from './hook-errors.js'

/** The app's estimate of the tokens of texts in one exchange. It throws if the app's function fails. */
export type TokensOf = (text: string, model: string | undefined) => number

/** Wraps the function so that it throws a {@link HookFault} if its result is not a number of at least 0. */
export function checkedEstimate(estimateTokens: EstimateTokens | undefined): EstimateTokens | undefined {
  if (!estimateTokens) return undefined
  return (written, exchange) => {
    const tokens: unknown = estimateTokens(written, exchange)
    if (typeof tokens === 'number' && tokens >= 0 && tokens < Number.POSITIVE_INFINITY) return tokens
    const got = typeof tokens === 'number' ? tokens : ignoreRejection(tokens) ? 'a promise' : kindOf(tokens)
    throw new HookFault(`estimateTokens must return a number of at least 0, at once; got ${got}`)
  }
}

/** Returns the tokens of a text by the app's function; `undefined` if the function failed, which has been reported. */
export function tokensByApp(
  tokensOf: TokensOf | undefined,
  text: string | undefined,
  model: string | undefined,
): number | undefined {
  if (!tokensOf || !text) return undefined
  try {
    return tokensOf(text, model)
  } catch {
    return undefined
  }
}
