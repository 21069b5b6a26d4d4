import type { CompleteFormat } from './complete.js'
import { anyErrorIn, likelyErrorIn, loneErrorIn } from './failures.js'

/**
 * Returns the text of the error that a message reports: in any known form if it should be a model's answer. In other
 * answers, what resembles an error may be what was asked for.
 *
 * @param isState the request asks for the state of something that has errors of its own
 */
export function saidErrorIn(body: unknown, { isGuess, isCustom }: CompleteFormat, isState = false): string | undefined {
  if (isState) return loneErrorIn(body)
  return isGuess || isCustom ? likelyErrorIn(body) : anyErrorIn(body)
}
