import { addRateLimit, type ShownLimit } from '../formats/index.js'
import { memoize } from '../util/memoize.js'
import type { QuotaKind } from './rules.js'

/** A limit as it stands, for people and headers. Money is in the currency, not in billionths. */
export interface LimitStatus {
  /** Whom it limits. */
  readonly key: string
  /** What it counts. */
  readonly kind: QuotaKind
  /** Its time, as in the rule; `''` for `concurrent`. */
  readonly per: string
  /** What may be counted in the time. */
  readonly allowed: number
  /** Counted by now, with what requests under way hold. */
  readonly used: number
  /** Milliseconds until nothing of it counts any more. */
  readonly resetMs: number
}

/** Returns what remains of a limit. */
function remainingOf({ allowed, used }: LimitStatus): number {
  return Math.max(0, Math.floor(allowed - used))
}

/**
 * Returns the headers that show a client the state of its limits: those that SDKs know for requests and tokens, and those of the
 * IETF's draft for both: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10
 */
export function limitHeaders(limits: readonly LimitStatus[]): Record<string, string> {
  const headers: Record<string, string> = {}
  let policy = ''
  let standing = ''
  let count = 0
  const tightest: { requests?: LimitStatus; tokens?: LimitStatus } = {}
  for (const limit of limits) {
    const { kind, per, allowed, resetMs } = limit
    // Money is not a whole number, and not the client's business.
    if (kind !== 'requests' && kind !== 'tokens') continue
    count++
    const other = tightest[kind]
    if (!other || shareLeftOf(limit) < shareLeftOf(other)) tightest[kind] = limit
    const name = count === 1 ? `"${kind}-${per}"` : `"${kind}-${per}-${count}"`
    const comma = count === 1 ? '' : ', '
    policy += `${comma}${name};q=${Math.floor(allowed)}${secondsOf(per)}`
    standing += `${comma}${name};r=${remainingOf(limit)};t=${Math.ceil(resetMs / 1000)}`
  }
  if (tightest.requests) addRateLimit(headers, 'requests', shownLimit(tightest.requests))
  if (tightest.tokens) addRateLimit(headers, 'tokens', shownLimit(tightest.tokens))
  if (count === 0) return headers
  headers['ratelimit-policy'] = policy
  headers.ratelimit = standing
  return headers
}

function shownLimit(limit: LimitStatus): ShownLimit {
  return { allowed: Math.floor(limit.allowed), remaining: remainingOf(limit), resetMs: limit.resetMs }
}

function shareLeftOf(limit: LimitStatus): number {
  return limit.allowed > 0 ? remainingOf(limit) / limit.allowed : 0
}

const secondsOf = memoize((per: string): string => {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(per) ?? []
  const seconds = { s: 1, m: 60, h: 3600, d: 86_400 }[unit as 's' | 'm' | 'h' | 'd']
  return seconds === undefined ? '' : `;w=${Number(count) * seconds}`
})
