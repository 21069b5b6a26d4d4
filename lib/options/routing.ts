import type { AiProxyOptions } from '../api/options.js'
import type { HedgeOptions, PreambleOptions, RetryOptions, RetryReason, StickyOptions } from '../api/targets.js'
import type { ResolvedRetry, Routing, Target } from './config.js'
import { defaults } from './defaults.js'
import type { HookErrors } from './hook-errors.js'
import { check, hint, invalidOption, objectOrFalse, orDefault } from './validate.js'

/** Options that have an effect only if there are several targets. `false` turns them off, and is therefore allowed with one target as well. */
const namesForSeveral = ['balance', 'sticky', 'hedge', 'showAlias'] as const

/** Names of the options for routing, except `targets`. */
export const routingNames = [...namesForSeveral, 'retry', 'whenAllCooling', 'onAttempt'] as const

/**
 * Resolves how requests are routed to targets.
 *
 * @param elsewhere dotted names of all options, for the hint in an error
 * @returns `undefined` if there is one target, which is asked once
 */
export function resolveRouting(
  given: AiProxyOptions,
  targets: readonly Target[],
  hookErrors: HookErrors,
  elsewhere: readonly string[],
): Routing | undefined {
  if (given.targets === undefined) {
    const needless = namesForSeveral.find((name) => (given[name] ?? false) !== false)
    if (needless) invalidOption(needless, hint('one for `target`'), 'a value only together with `targets`')
  }
  const onAttempt = check.optionalFunction('onAttempt', given.onAttempt)
  const routing: Routing = {
    targets,
    balance: resolveBalance(given.balance),
    sticky: resolveSticky(given.sticky, hookErrors, elsewhere),
    // The only target of a route is asked once, unless `retry` says otherwise.
    retry: resolveRetry(orDefault(given.retry, given.targets === undefined ? false : {}), elsewhere),
    hedge: resolveHedge(given.hedge, elsewhere),
    whenAllCooling: check.oneOf('whenAllCooling', orDefault(given.whenAllCooling, defaults.whenAllCooling), [
      'try',
      'refuse',
    ]),
    showAlias: check.boolean('showAlias', orDefault(given.showAlias, defaults.showAlias)),
    onAttempt,
  }
  const isRouted = given.targets !== undefined || (given.retry ?? false) !== false || onAttempt !== undefined
  return isRouted ? routing : undefined
}

function resolveBalance(balance: AiProxyOptions['balance']): Routing['balance'] {
  if (typeof balance === 'function') return balance
  const names = ['weighted', 'least-busy', 'fastest'] as const
  return check.oneOf<(typeof names)[number]>('balance', orDefault(balance, defaults.balance), names, 'a function')
}

function resolveSticky(
  sticky: AiProxyOptions['sticky'],
  hookErrors: HookErrors,
  elsewhere: readonly string[],
): Routing['sticky'] {
  const given = objectOrFalse<StickyOptions>('sticky', orDefault(sticky, defaults.sticky), ['key', 'ttlMs'], elsewhere)
  if (given === false) return undefined
  const key = check.optionalFunction('sticky.key', given.key)
  return {
    key: hookErrors.reporting('sticky', key, (_, exchange) => exchange),
    ttlMs: check.number('sticky.ttlMs', orDefault(given.ttlMs, defaults.stickyOptions.ttlMs), { above: 0 }),
  }
}

const REASONS: readonly RetryReason[] = [
  ...(['connection', 'server-error', 'rate-limit'] as const),
  ...(['auth', 'timeout', 'stream-error'] as const),
]

function resolveRetry(retry: RetryOptions | false, elsewhere: readonly string[]): ResolvedRetry {
  const known = ['attempts', 'on', 'backoffMs', 'maxWaitMs', 'withinMs', 'preamble'] as const
  const given = objectOrFalse<RetryOptions>('retry', retry, known, elsewhere)
  const { attempts, on, backoffMs, maxWaitMs, withinMs, preamble } =
    given === false ? ({ attempts: 1 } as RetryOptions) : given
  const whole = orDefault(attempts, defaults.retry.attempts)
  if (!Number.isInteger(whole) || whole < 1) invalidOption('retry.attempts', attempts, 'a whole number of at least 1')
  const bounds = objectOrFalse<PreambleOptions>(
    'retry.preamble',
    orDefault(preamble, {}),
    ['events', 'bytes', 'ms'],
    elsewhere,
  )
  const { events, bytes, ms } = bounds === false ? { events: 0, bytes: 0, ms: 0 } : bounds
  const least = { from: 0 }
  return {
    attempts: whole,
    on: resolveReasons(on),
    backoffMs: resolveBackoff(orDefault(backoffMs, defaults.retry.backoffMs)),
    maxWaitMs: check.number('retry.maxWaitMs', orDefault(maxWaitMs, defaults.retry.maxWaitMs), least),
    withinMs: check.number('retry.withinMs', orDefault(withinMs, defaults.retry.withinMs), least),
    preamble: {
      events: check.number('retry.preamble.events', orDefault(events, defaults.retry.preamble.events), least),
      bytes: check.number('retry.preamble.bytes', orDefault(bytes, defaults.retry.preamble.bytes), least),
      ms: check.number('retry.preamble.ms', orDefault(ms, defaults.retry.preamble.ms), least),
    },
  }
}

function resolveReasons(on: RetryOptions['on']): readonly RetryReason[] {
  if (on === undefined) return REASONS
  if (!Array.isArray(on)) invalidOption('retry.on', on, `a list of ${REASONS.map((name) => `'${name}'`).join(', ')}`)
  return on.map((reason, at) => check.oneOf<RetryReason>(`retry.on[${at}]`, reason, REASONS))
}

function resolveBackoff(given: unknown): readonly [number, number] {
  const pair: readonly unknown[] = Array.isArray(given) && given.length === 2 ? given : []
  const [least, most] = pair
  const fits = typeof least === 'number' && typeof most === 'number' && least >= 0 && most >= least && most < Infinity
  return fits
    ? [least, most]
    : invalidOption('retry.backoffMs', given, 'two numbers, the shortest and the longest wait')
}

function resolveHedge(hedge: AiProxyOptions['hedge'], elsewhere: readonly string[]): Routing['hedge'] {
  const given = objectOrFalse<HedgeOptions>('hedge', orDefault(hedge, defaults.hedge), ['afterMs', 'max'], elsewhere)
  if (given === false) return undefined
  const max = orDefault(given.max, 1)
  if (!Number.isInteger(max) || max < 1) invalidOption('hedge.max', max, 'a whole number of at least 1')
  return { afterMs: check.number('hedge.afterMs', given.afterMs, { above: 0 }), max }
}
