import { validateHeaderName, validateHeaderValue } from 'node:http'
import { inspect } from 'node:util'
import { hasMembers } from '../util/has-members.js'
import { nearest } from '../util/nearest.js'
import { anyOf, rejectUnknownOption } from '../util/option-errors.js'

/** Returns a description for an error to show in place of a value that must not or need not be shown. */
export function hint(text: string): { [inspect.custom]: () => string } {
  return { [inspect.custom]: () => text }
}

/** @throws TypeError that names the option, what it got and what it takes */
export function invalidOption(option: string, got: unknown, takes: string): never {
  throw new TypeError(`aiProxy: ${option} takes ${takes}; got ${inspect(got, { depth: 1, maxStringLength: 100 })}`)
}

/** Names from earlier versions or other packages that are too different for {@link nearest}. */
const RENAMED: Readonly<Record<string, string>> = {
  heartbeatMs: 'heartbeat.everyMs',
  heartbeatBeforeFirstByte: 'heartbeat.beforeFirstByte',
}

/**
 * Rejects option objects that have keys other than `known`.
 *
 * @param option name of the object's option; '' for the options themselves
 * @param elsewhere dotted names of options in other objects, for the hint
 * @param takes what the option takes, for an error
 */
export function objectOf<T extends object>(
  option: string,
  value: T,
  known: readonly (keyof T & string)[],
  elsewhere: readonly string[] = [],
  takes = 'an object',
): T {
  check.record(option || 'options', value, takes)
  const prefix = option && `${option}.`
  for (const name of Object.keys(value)) {
    if (known.includes(name as keyof T & string)) continue
    const near = RENAMED[name] ?? nearest(name, [...known.map((each) => prefix + each), ...elsewhere])
    rejectUnknownOption('aiProxy', option, name, near, known)
  }
  return value
}

/** Validates an options object that only `false` turns off: not `0`, `null` or `'off'`. See {@link objectOf}. */
export function objectOrFalse<T extends object>(
  option: string,
  value: T | false,
  known: readonly (keyof T & string)[],
  elsewhere: readonly string[] = [],
  takes = 'an object, or false',
): T | false {
  return value === false ? false : objectOf(option, value, known, elsewhere, takes)
}

/**
 * Returns the default if an option is left out. `null` does not count as left out: a null credential would let the
 * client's own through.
 */
export function orDefault<T>(value: T | undefined, fallback: T): T {
  return value === undefined ? fallback : value
}

/** Validators of single values: each returns its value, or throws a TypeError that names the option. */
export const check = {
  string(option: string, value: unknown): string {
    return typeof value === 'string' ? value : invalidOption(option, value, 'a string')
  },

  boolean(option: string, value: unknown): boolean {
    return typeof value === 'boolean' ? value : invalidOption(option, value, 'true or false')
  },

  number(option: string, value: unknown, range: { from?: number; above?: number }): number {
    const { from = Number.NEGATIVE_INFINITY, above = Number.NEGATIVE_INFINITY } = range
    const fits = typeof value === 'number' && value >= from && value > above && value < Infinity
    const bound = Number.isFinite(above) ? `number above ${above}` : 'finite number'
    return fits
      ? value
      : invalidOption(option, value, `a ${Number.isFinite(from) ? `number of at least ${from}` : bound}`)
  },

  /** Accepts a number above 0, or `false` for no limit. */
  numberOrFalse(option: string, value: unknown): number | false {
    const fits = value === false || (typeof value === 'number' && value > 0 && value < Infinity)
    return fits ? value : invalidOption(option, value, 'a number above 0, or false for no limit')
  },

  /** Accepts a number of things, at least 1, or `false` for no limit. */
  countOrFalse(option: string, value: unknown): number | false {
    const fits = value === false || (Number.isSafeInteger(value) && (value as number) > 0)
    return fits
      ? (value as number | false)
      : invalidOption(option, value, 'a whole number above 0, or false for no limit')
  },

  oneOf<T extends string>(option: string, value: T, choices: readonly T[], orElse?: string): T {
    if (choices.includes(value)) return value
    const near = typeof value === 'string' ? nearest(value, choices) : undefined
    invalidOption(
      option,
      value,
      anyOf([...choices.map((choice) => `'${choice}'`), ...(orElse ? [orElse] : [])]) +
        (near ? ` (did you mean '${near}'?)` : ''),
    )
  },

  optionalFunction<T>(option: string, value: T): T {
    return value === undefined || typeof value === 'function' ? value : invalidOption(option, value, 'a function')
  },

  record<T extends object>(option: string, value: T, takes = 'an object'): T {
    return hasMembers(value) ? value : invalidOption(option, value, takes)
  },

  /** Accepts a header that HTTP can carry. Errors do not show the value, which may be a secret. */
  header(option: string, name: string, value: string): void {
    try {
      validateHeaderName(name)
    } catch {
      invalidOption(option, name, 'a valid HTTP header name')
    }
    try {
      validateHeaderValue(name, value)
    } catch {
      invalidOption(option, hint('one with a character that HTTP forbids'), 'a value that an HTTP header can carry')
    }
  },
}
