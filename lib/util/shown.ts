import { inspect } from 'node:util'
import { ignoreRejection } from './promises.js'

/** Returns a value as an error message shows it: short, whatever it is. */
export function shown(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 100 })
}

/**
 * Returns the same for what a function of the app has returned where a value is due at once: a promise, whose rejection is
 * then handled, is named as one.
 */
export function shownResult(returned: unknown): string {
  return ignoreRejection(returned) ? 'a promise' : shown(returned)
}
