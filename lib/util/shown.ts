import { inspect } from 'node:util'
import { ignoreRejection } from './promises.js'

/** Returns a value as an error message shows it: short, whatever it is. */
export function shown(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 100 })
}

/** Returns what kind of value it is, for an error that must not show the value: it may be a secret, or what a model wrote. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  const kind = typeof value === 'object' ? Object.prototype.toString.call(value).slice(8, -1) : typeof value
  const name = kind === 'Array' || kind === 'Object' ? kind.toLowerCase() : kind
  return `${/^[aeio]/i.test(name) ? 'an' : 'a'} ${name}`
}

/**
 * Returns the same as {@link shown} for what a function of the app has returned where a value is due at once: a promise, whose rejection is
 * then handled, is named as one.
 */
export function shownResult(returned: unknown): string {
  return ignoreRejection(returned) ? 'a promise' : shown(returned)
}
