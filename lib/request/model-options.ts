import type { Format } from '../formats/index.js'
import { isObject } from '../json.js'
import type { ModelOptions } from '../options.js'

/** In `modelOptions` it stands for the field that the request's format has for it. */
const MAX_OUTPUT_TOKENS = 'maxOutputTokens'

/**
 * A request body with `modelOptions` in it: defaults where it says nothing, overrides in any case.
 *
 * @param generates what is asked for can generate text; otherwise `maxOutputTokens` has no place in it
 */
export function withModelOptions(
  body: Record<string, unknown>,
  { defaults = {}, overrides = {} }: ModelOptions,
  format: Format,
  generates: boolean,
): Record<string, unknown> {
  const filled = merged(inOwnFields(defaults, body, format, generates), body)
  const own = inOwnFields(overrides, filled, format, generates)
  const limits = MAX_OUTPUT_TOKENS in overrides ? (format.otherLimitPaths ?? []) : []
  return merged(limits.reduce(without, filled), own)
}

/** The fields that these options are about, in a request of this format: each with the names of what it stands in. */
export function pathsOf(
  { defaults = {}, overrides = {} }: ModelOptions,
  body: Record<string, unknown>,
  format: Format,
  generates: boolean,
): (readonly string[])[] {
  const { [MAX_OUTPUT_TOKENS]: _, ...rest } = merged(defaults, overrides)
  const limitsOutput = generates && [defaults, overrides].some((options) => MAX_OUTPUT_TOKENS in options)
  const limits = limitsOutput ? [format.maxOutputTokensPath(body), ...(format.otherLimitPaths ?? [])] : []
  return [...pathsIn(rest), ...limits]
}

function pathsIn(object: Record<string, unknown>): (readonly string[])[] {
  return Object.entries(object).flatMap(([key, value]) => [
    [key],
    ...(isObject(value) ? pathsIn(value).map((path) => [key, ...path]) : []),
  ])
}

function inOwnFields(
  options: Record<string, unknown>,
  body: Record<string, unknown>,
  format: Format,
  generates: boolean,
): Record<string, unknown> {
  if (!(MAX_OUTPUT_TOKENS in options)) return options
  const { [MAX_OUTPUT_TOKENS]: limit, ...rest } = options
  if (!generates) return rest
  const own = format.maxOutputTokensPath(body).reduceRight<unknown>((value, key) => ({ [key]: value }), limit)
  return merged(rest, own as Record<string, unknown>)
}

/** The object without a field, which may stand within others. */
function without(object: Record<string, unknown>, [key, ...rest]: readonly string[]): Record<string, unknown> {
  if (key === undefined || !Object.hasOwn(object, key)) return object
  const { [key]: value, ...others } = object
  if (rest.length === 0) return others
  return isObject(value) ? { ...object, [key]: without(value, rest) } : object
}

/** Both objects in one, those within them as well; what `over` has wins. Arrays are values, and replaced as a whole. */
function merged(under: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const source of [under, over]) {
    for (const [key, value] of Object.entries(source)) {
      const before = Object.hasOwn(result, key) ? result[key] : undefined
      define(result, key, isObject(before) && isObject(value) ? merged(before, value) : value)
    }
  }
  return result
}

/** As `JSON.parse` does it: `__proto__` becomes a field like any other, and not the object's prototype. */
function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
}
