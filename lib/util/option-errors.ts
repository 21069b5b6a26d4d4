import { inspect } from 'node:util'
import { nearest } from './nearest.js'

/** @throws TypeError that names the function, the option, the value it got and what it takes */
export function rejectOption(caller: string, option: string, got: unknown, takes: string): never {
  throw new TypeError(`${caller}: ${option} takes ${takes}; got ${inspect(got, { depth: 0, maxStringLength: 100 })}`)
}

/**
 * Rejects options that are not an object, or have names that do not exist.
 *
 * @param caller the function that takes the options
 * @param option dotted name of the option whose members these are; '' for the options themselves
 * @throws TypeError that names the option, the likely intended one, and all that exist
 */
export function rejectUnknownOptions(caller: string, option: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    rejectOption(caller, option || 'its one argument', value, 'an object')
  }
  const unknown = Object.keys(value).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const prefix = option && `${option}.`
  const near = nearest(unknown, known)
  const meant = near ? ` Did you mean ${prefix}${near}?` : ''
  throw new TypeError(
    `${caller}: there is no option ${prefix}${unknown}.${meant} ${option || caller} takes ${known.join(', ')}`,
  )
}
