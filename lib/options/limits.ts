import type { HookedExchange } from '../api/hooks.js'
import type { Limits, LimitsOption, ResolvedLimits } from '../api/limits.js'
import { defaults } from './defaults.js'
import { type HookErrors, HookFault } from './hook-errors.js'
import { check, objectOf, orDefault } from './validate.js'

const limitNames = Object.keys(defaults.limits) as (keyof Limits)[]

/** These limit all requests together, so that requests cannot have different values. */
const sharedNames: readonly (keyof Limits)[] = ['maxConcurrentExchanges', 'maxConcurrentStreams', 'maxHeldBytes']

/** Names of the `limits` option's members. */
export const limitOptionNames = [...limitNames, 'perRequest'] as const

/** The `limits` option, compiled. */
export interface CompiledLimits {
  /** Limits of the middleware, and of each request unless `forRequest` returns others. */
  readonly limits: ResolvedLimits
  /**
   * Asks the app for the limits of one request; `undefined` if the app has not set `perRequest`. It rejects with what
   * the app's function threw, or with a {@link HookFault}, and has already reported either.
   */
  readonly forRequest: ((exchange: HookedExchange) => Promise<ResolvedLimits>) | undefined
}

/**
 * Compiles the `limits` option.
 *
 * @param elsewhere dotted names of all options, for the hint in an error
 * @throws TypeError if it is neither a function nor an object of limits
 */
export function compileLimits(
  option: LimitsOption | undefined,
  hookErrors: HookErrors,
  elsewhere: readonly string[] = [],
): CompiledLimits {
  const given = typeof option === 'function' ? { perRequest: option } : orDefault(option, {})
  const takes = 'an object, or a function'
  const { perRequest, ...own } = objectOf('limits', given, limitOptionNames, elsewhere, takes)
  check.optionalFunction('limits.perRequest', perRequest)
  checkLimits(own)
  const forRequest =
    perRequest &&
    (async ({ req }: HookedExchange) => {
      const ofRequest: unknown = await perRequest(req)
      return resolved({ ...own, ...withoutUnset(checkedPerRequest(ofRequest)) })
    })
  return { limits: resolved(own), forRequest: hookErrors.reporting('limits', forRequest, (exchange) => exchange) }
}

/** Returns the limits as numbers, with defaults for unset ones and `Infinity` for disabled ones. */
function resolved(given: Partial<Limits>): ResolvedLimits {
  const all: Limits = { ...defaults.limits, ...withoutUnset(given) }
  all.uploadIdleTimeoutMs = given.uploadIdleTimeoutMs ?? all.idleTimeoutMs
  const numbers = limitNames.map((name) => [name, all[name] === false ? Number.POSITIVE_INFINITY : all[name]])
  return Object.fromEntries(numbers) as Record<keyof Limits, number>
}

export const defaultLimits: ResolvedLimits = resolved({})

function checkLimits(given: Partial<Limits>): void {
  for (const name of limitNames) {
    if (given[name] === undefined) continue
    const isCount = name.startsWith('maxConcurrent')
    check[isCount ? 'countOrFalse' : 'numberOrFalse'](`limits.${name}`, given[name])
  }
}

/**
 * Validates what the app's function returned.
 *
 * @throws HookFault if it is not the limits of a request
 */
function checkedPerRequest(returned: unknown): Partial<Limits> {
  try {
    const given = objectOf('limits', returned as Partial<Limits>, limitNames)
    for (const name of sharedNames) {
      if (given[name] === undefined) continue
      throw new TypeError(`limits.${name} bounds all requests together: set it next to limits.perRequest, not in it`)
    }
    checkLimits(given)
    return given
  } catch (error) {
    throw new HookFault(`The function in \`limits\` returned an invalid value: ${(error as Error).message}`)
  }
}

function withoutUnset(given: Partial<Limits>): Partial<Limits> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}
