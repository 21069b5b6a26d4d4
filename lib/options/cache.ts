import type { CacheableRequest, CachePace } from '../api/cache.js'
import type { HookedExchange } from '../api/hooks.js'
import type { Journal } from '../api/journal.js'
import type { AiProxyOptions } from '../api/options.js'
import { shownResult } from '../util/shown.js'
import { defaults } from './defaults.js'
import { type HookErrors, HookFault } from './hook-errors.js'
import { resolveJournal } from './journal.js'
import { checkedBoolean } from './resume.js'
import { check, invalidOption, objectOf, objectOrFalse, orDefault } from './validate.js'

/** The `cache` option with its defaults. Its functions throw, and have reported it, if the app's fail. */
export interface ResolvedCache {
  /** `undefined` if it is that of `resume`, or one of the middleware's own. */
  readonly journal: Journal | undefined
  readonly ttlMs: number
  readonly maxBytes: number
  readonly pace: CachePace
  readonly toolCalls: boolean
  /** Requests that cannot be told apart share one answer while it is under way. */
  readonly joins: boolean
  readonly scope: (exchange: HookedExchange) => string
  /** The app's own key, if it has one. */
  readonly key: (request: CacheableRequest, exchange: HookedExchange) => string | undefined
  /** Whether an answer may be kept; `undefined` if the app does not say. */
  readonly when: (request: CacheableRequest, exchange: HookedExchange) => boolean | undefined
}

const names = ['journal', 'ttlMs', 'scope', 'key', 'when', 'pace', 'toolCalls', 'maxBytes'] as const

/**
 * Validates the options `cache` and `joinIdentical`.
 *
 * @throws TypeError
 */
export function resolveCache(
  option: AiProxyOptions['cache'],
  joinIdentical: AiProxyOptions['joinIdentical'],
  hookErrors: HookErrors,
): ResolvedCache | undefined {
  const joins = check.boolean('joinIdentical', orDefault(joinIdentical, defaults.joinIdentical))
  const takes = 'an object like { ttlMs: 3_600_000, scope: (req) => req.user.id }, or false'
  const given = objectOrFalse('cache', orDefault(option, defaults.cache), names, [], takes)
  if (given === false) {
    if (joins) invalidOption('joinIdentical', joins, 'true only with the option `cache`, which tells requests apart')
    return undefined
  }
  const { journal, ttlMs, scope, key, when, pace, toolCalls, maxBytes } = given
  if (typeof scope !== 'function') {
    invalidOption('cache.scope', scope, 'a function that names those who share answers: there is no default for that')
  }
  const ownKey = check.optionalFunction('cache.key', key)
  const mayKeep = check.optionalFunction('cache.when', when)
  const ofRequest = (_: CacheableRequest, exchange: HookedExchange) => exchange
  return {
    journal: resolveJournal('cache.journal', journal),
    ttlMs: check.number('cache.ttlMs', ttlMs, { above: 0 }),
    maxBytes: check.number('cache.maxBytes', orDefault(maxBytes, defaults.cacheOptions.maxBytes), { above: 0 }),
    pace: resolvePace(orDefault(pace, defaults.cacheOptions.pace)),
    toolCalls: check.boolean('cache.toolCalls', orDefault(toolCalls, defaults.cacheOptions.toolCalls)),
    joins,
    scope: hookErrors.reporting(
      'cache',
      (exchange: HookedExchange) => checkedText('cache.scope', scope(exchange.req, exchange)),
      (exchange) => exchange,
    ),
    key: hookErrors.reporting(
      'cache',
      (request: CacheableRequest, exchange: HookedExchange) => {
        const own = ownKey?.(request, exchange)
        return own === undefined ? undefined : checkedText('cache.key', own)
      },
      ofRequest,
    ),
    when: hookErrors.reporting(
      'cache',
      (request: CacheableRequest, exchange: HookedExchange) =>
        mayKeep && checkedBoolean('cache.when', mayKeep(request, exchange)),
      ofRequest,
    ),
  }
}

function resolvePace(pace: CachePace): CachePace {
  if (pace === 'instant' || pace === 'recorded') return pace
  const takes = "'instant', 'recorded' or { tokensPerSecond }"
  const { tokensPerSecond } = objectOf('cache.pace', pace, ['tokensPerSecond'], [], takes)
  return { tokensPerSecond: check.number('cache.pace.tokensPerSecond', tokensPerSecond, { above: 0 }) }
}

function checkedText(name: string, returned: unknown): string {
  if (typeof returned === 'string' && returned !== '') return returned
  throw new HookFault(`${name} returns a text that is not empty, not ${shownResult(returned)}`)
}
