import { hasMembers } from './has-members.js'
import { nearest } from './nearest.js'
import { shown } from './shown.js'

/** @throws TypeError that names the function, the option, the value it got and what it takes */
export function rejectOption(caller: string, option: string, got: unknown, takes: string): never {
  throw new TypeError(`${caller}: ${option} takes ${takes}; got ${shown(got)}`)
}

/** Lists what an option takes: `'a', 'b' or a function`. */
export function anyOf(choices: readonly string[]): string {
  return [choices.slice(0, -1).join(', '), ...choices.slice(-1)].filter(Boolean).join(' or ')
}

/**
 * Rejects options that are not an object, or have names that do not exist.
 *
 * @param caller the function that takes the options
 * @param option dotted name of the option whose members these are; '' for the options themselves
 * @throws TypeError that names the option, the likely intended one, and all that exist
 */
export function rejectUnknownOptions(caller: string, option: string, value: unknown, known: readonly string[]): void {
  if (!hasMembers(value)) rejectOption(caller, option || 'options', value, 'an object')
  const unknown = Object.keys(value).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const prefix = option && `${option}.`
  const near = nearest(unknown, known)
  rejectUnknownOption(caller, option, unknown, near && prefix + near, known)
}

/**
 * @param near dotted name of the option that was likely meant, if there is one
 * @throws TypeError that says so, and lists all that exist
 */
export function rejectUnknownOption(
  caller: string,
  option: string,
  name: string,
  near: string | undefined,
  known: readonly string[],
): never {
  const meant = near ? ` Did you mean ${near}?` : ''
  const spelled = option ? `${option}.${name}` : name
  throw new TypeError(
    `${caller}: there is no option ${spelled}.${meant} ${option || caller} takes ${known.join(', ') || 'none'}`,
  )
}
