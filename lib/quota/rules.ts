import { hasMembers } from '../util/has-members.js'
import { memoize } from '../util/memoize.js'
import { rejectOption, rejectUnknownOptions } from '../util/option-errors.js'
import { ignoreRejectionsIn } from '../util/promises.js'
import { shown } from '../util/shown.js'
import { type CalendarCache, type CalendarUnit, isTimeZone } from './calendar.js'
import type { Bucket, Window } from './store.js'

/** A limit, or several of one key and time. */
export interface QuotaRule {
  /** Who or what it limits: everything under one key is counted together. 1 to 512 characters. */
  readonly key: string
  /** Requests in the time. `false` is no limit. Default `false`. */
  readonly requests?: number | false | undefined
  /** Tokens in the time, of all kinds together. `false` is no limit. Default `false`. */
  readonly tokens?: number | false | undefined
  /** Money in the time, by the option `prices`. `false` is no limit. Default `false`. */
  readonly cost?: number | false | undefined
  /** Exchanges at once, whatever the time. `false` is no limit. Default `false`. */
  readonly concurrent?: number | false | undefined
  /**
   * The time: a number of `s`, `m`, `h` or `d`, which slides (`'5h'`); or a `'day'`, `'week'` or `'month'` of the calendar.
   * Required, except for `concurrent`.
   */
  readonly per?: QuotaTime | undefined
  /** Time zone of the calendar: `'Europe/Berlin'`. Default `'UTC'`. */
  readonly timeZone?: string | undefined
}

/** The time in which a limit counts. */
export type QuotaTime = CalendarUnit | `${number}${'s' | 'm' | 'h' | 'd'}`

/** What a limit counts. */
export type QuotaKind = 'requests' | 'tokens' | 'cost' | 'concurrent'

const quotaKinds: readonly QuotaKind[] = ['requests', 'tokens', 'cost', 'concurrent']

/** Stores count whole numbers: money in billionths, in which a token has a price of its own. */
export const COST_UNITS = 1e9

/** A bucket, and what it counts. */
export interface LimitBucket extends Bucket {
  readonly kind: QuotaKind
  /** The period as people write it: `1d`, `month`; `''` for `concurrent`. */
  readonly per: string
}

const MAX_KEY_LENGTH = 512
const MAX_RULES = 20
const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const MAX_WINDOW_MS = 400 * UNITS.d
/** The largest amount of one limit, in its units: stores add such amounts up, in whole numbers. */
export const MAX_AMOUNT = Math.floor(Number.MAX_SAFE_INTEGER / 8)

/** The names of the limits, for errors. */
const OPTIONS = Array.from({ length: MAX_RULES }, (_, at) => `limits[${at}]`)

const fields = ['key', ...quotaKinds, 'per', 'timeZone']

/**
 * Compiles the limits of a request.
 *
 * @param now in milliseconds since the epoch
 * @throws TypeError if one is wrong
 */
export function compileRules(rules: unknown, now: number, calendar: CalendarCache): readonly LimitBucket[] {
  if (!Array.isArray(rules)) throw new TypeError(`quota: limits takes a list of limits; got ${shown(rules)}`)
  if (rules.length > MAX_RULES) throw new TypeError(`quota: limits takes at most ${MAX_RULES} limits for a request`)
  const buckets: LimitBucket[] = []
  try {
    for (let at = 0; at < rules.length; at++) {
      for (const bucket of bucketsOf(rules[at], OPTIONS[at]!, now, calendar)) {
        const isTwice = buckets.some(({ key, name }) => key === bucket.key && name === bucket.name)
        if (isTwice) throw new TypeError(`quota: limits has two limits of ${bucket.name} for one key`)
        buckets.push(bucket)
      }
    }
  } catch (error) {
    ignoreRejectionsIn(rules)
    throw error
  }
  return buckets
}

function bucketsOf(rule: unknown, option: string, now: number, calendar: CalendarCache): LimitBucket[] {
  if (!hasMembers(rule)) rejectOption('quota', option, rule, 'an object with a key and a limit')
  rejectUnknownOptions('quota', option, rule, fields)
  const amounts = rule as Partial<QuotaRule>
  const { key, per, timeZone } = amounts
  if (typeof key !== 'string' || key === '' || key.length > MAX_KEY_LENGTH) {
    rejectOption('quota', `${option}.key`, key, `a key of 1 to ${MAX_KEY_LENGTH} characters`)
  }
  const kinds = quotaKinds.filter((kind) => amounts[kind] !== undefined && amounts[kind] !== false)
  if (quotaKinds.every((kind) => amounts[kind] === undefined))
    rejectOption('quota', option, rule, `a limit: ${quotaKinds.join(', ')}`)
  if (kinds.length > 0 && kinds.every((kind) => kind === 'concurrent')) {
    const time = per !== undefined ? 'per' : 'timeZone'
    if (per !== undefined || timeZone !== undefined) {
      rejectOption('quota', `${option}.${time}`, per ?? timeZone, 'no value with `concurrent` alone, which has no time')
    }
  }
  return kinds.map((kind) => {
    const amount = amounts[kind]
    if (typeof amount !== 'number' || !(amount >= 0 && amount * (kind === 'cost' ? COST_UNITS : 1) <= MAX_AMOUNT)) {
      rejectOption(
        'quota',
        `${option}.${kind}`,
        amount,
        kind === 'cost'
          ? 'an amount from 0 to a million, or false for no limit'
          : 'a number of at least 0, or false for no limit',
      )
    }
    const allowed = Math.floor(kind === 'cost' ? amount * COST_UNITS : amount)
    if (kind === 'concurrent') return { kind, key, name: kind, per: '', allowed, window: NO_WINDOW }
    const { window, names } = timeOf(per, timeZone, option, now, calendar)
    return { kind, key, name: names[kind], per: String(per), allowed, window }
  })
}

const NO_WINDOW: Window = { kind: 'none' }

/** A time in which limits count, and the names of their buckets. */
interface LimitTime {
  readonly window: Window
  readonly names: Readonly<Record<QuotaKind, string>>
}

function timeOf(per: unknown, timeZone: unknown, option: string, now: number, calendar: CalendarCache): LimitTime {
  if (per === 'day' || per === 'week' || per === 'month') {
    const zone = timeZone === undefined ? 'UTC' : timeZone
    if (!isTimeZone(zone))
      rejectOption('quota', `${option}.timeZone`, timeZone, "the name of a time zone, like 'Europe/Berlin'")
    return {
      window: { kind: 'calendar', starts: calendar.startsAround(now, per, zone) },
      names: namesOf(`${per}@${zone}`),
    }
  }
  const time = typeof per === 'string' ? slidingTime(per) : undefined
  if (!time) {
    rejectOption(
      'quota',
      `${option}.per`,
      per,
      "a time like '1m', '5h' or '1d', up to 400 days, or 'day', 'week' or 'month'",
    )
  }
  if (timeZone !== undefined) rejectOption('quota', `${option}.timeZone`, timeZone, 'no value with a sliding window')
  return time
}

/** Memoized, like the next one: an app has a few, and each request has some. */
const slidingTime = memoize((per: string): LimitTime | undefined => {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(per) ?? []
  const ms = Number(count) * UNITS[unit as keyof typeof UNITS]
  return ms > 0 && ms <= MAX_WINDOW_MS ? { window: { kind: 'sliding', ms }, names: namesOf(per) } : undefined
})

const namesOf = memoize((time: string): LimitTime['names'] => ({
  requests: `requests:${time}`,
  tokens: `tokens:${time}`,
  cost: `cost:${time}`,
  concurrent: 'concurrent',
}))

/** Returns the bucket of a key that a store has under a name; `undefined` if it is not a name of this package. */
export function bucketNamed(
  key: string,
  name: string,
  allowed: number,
  now: number,
  calendar: CalendarCache,
): LimitBucket | undefined {
  const [kind, time = ''] = name.split(/:(.*)/s) as [QuotaKind, string?]
  if (kind === 'concurrent') return { kind, key, name, per: '', allowed, window: NO_WINDOW }
  const [per = '', timeZone] = time.split('@')
  try {
    return { kind, key, name, per, allowed, window: timeOf(per, timeZone, 'name', now, calendar).window }
  } catch {
    return undefined
  }
}
