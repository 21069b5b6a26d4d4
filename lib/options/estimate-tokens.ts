import { catchRejection } from '../util/promises.js'
import { HookFault } from './hook-errors.js'

/** The app's own estimate of the tokens of a text: the option `estimateTokens`. */
export type EstimateTokens = (text: string, model: string | undefined) => number

/** The same function, which throws a {@link HookFault} where it gives no figure. */
export function checkedEstimate(estimateTokens: EstimateTokens | undefined): EstimateTokens | undefined {
  if (!estimateTokens) return undefined
  return (text, model) => {
    const tokens: unknown = estimateTokens(text, model)
    if (typeof tokens === 'number' && tokens >= 0 && tokens < Number.POSITIVE_INFINITY) return tokens
    // What is told is that it is a promise: what that comes to is of no use to anybody.
    if (catchRejection(tokens, () => {}))
      throw new HookFault('estimateTokens gave a promise, for which no stream can wait')
    throw new HookFault(
      `estimateTokens gave no number from 0 on: ${typeof tokens === 'number' ? tokens : typeof tokens}`,
    )
  }
}

/** The tokens of a text by the app's own function; `undefined` where it gives no figure, which has been reported. */
export function tokensByApp(
  estimateTokens: EstimateTokens | undefined,
  text: string | undefined,
  model: string | undefined,
): number | undefined {
  if (!estimateTokens || !text) return undefined
  try {
    return estimateTokens(text, model)
  } catch {
    return undefined
  }
}
