import type { TextPlace } from './format.js'
import { EACH, type Pattern, placesAt } from './text-places.js'

/**
 * Finds the tokens that OpenAI's log probabilities repeat, and the tokens that the model could have written instead.
 *
 * @param paths where the lists of log probabilities are
 */
export function tokensOfLogprobs(root: unknown, ...paths: readonly Pattern[]): TextPlace[] {
  return placesAt(
    root,
    'repeated',
    ...paths.flatMap((path): Pattern[] => [
      [...path, EACH, 'token'],
      [...path, EACH, 'top_logprobs', EACH, 'token'],
    ]),
  )
}
