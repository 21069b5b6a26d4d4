import { debug } from '../debug.js'
import { tendsPromise } from '../promises.js'

/** The app's own estimate of the tokens of a text: the option `estimateTokens`. */
export type EstimateTokens = (text: string, model: string | undefined) => number

/** The tokens of a text by the app's own function; `undefined` where it gives no figure. */
export function tokensByApp(
  estimateTokens: EstimateTokens | undefined,
  text: string | undefined,
  model: string | undefined,
): number | undefined {
  if (!estimateTokens || !text) return undefined
  try {
    const tokens: unknown = estimateTokens(text, model)
    if (typeof tokens === 'number' && tokens >= 0 && tokens < Number.POSITIVE_INFINITY) return tokens
    const isPromise = tendsPromise(tokens, (error) => debug.stream('estimateTokens threw: %O', error))
    debug.stream('estimateTokens gave %O', isPromise ? 'a promise, for which no stream can wait' : tokens)
  } catch (error) {
    debug.stream('estimateTokens threw: %O', error)
  }
  return undefined
}
