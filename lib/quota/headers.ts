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
 * Returns the headers that show a client the state of its limits: those of OpenAI for requests and tokens, and those of the IETF's
 * draft for both.
 *
 * - https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
 * - https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10
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
  if (tightest.requests) describe(tightest.requests, REQUESTS, headers)
  if (tightest.tokens) describe(tightest.tokens, TOKENS, headers)
  if (count === 0) return headers
  headers['ratelimit-policy'] = policy
  headers.ratelimit = standing
  return headers
}

const REQUESTS = ['x-ratelimit-limit-requests', 'x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests'] as const
const TOKENS = ['x-ratelimit-limit-tokens', 'x-ratelimit-remaining-tokens', 'x-ratelimit-reset-tokens'] as const

function describe(limit: LimitStatus, names: typeof REQUESTS | typeof TOKENS, headers: Record<string, string>): void {
  headers[names[0]] = String(Math.floor(limit.allowed))
  headers[names[1]] = String(remainingOf(limit))
  headers[names[2]] = duration(limit.resetMs)
}

function shareLeftOf(limit: LimitStatus): number {
  return limit.allowed > 0 ? remainingOf(limit) / limit.allowed : 0
}

const secondsOf = memoize((per: string): string => {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(per) ?? []
  const seconds = { s: 1, m: 60, h: 3600, d: 86_400 }[unit as 's' | 'm' | 'h' | 'd']
  return seconds === undefined ? '' : `;w=${Number(count) * seconds}`
})

/** Writes a time as OpenAI does: `20ms`, `1s`, `6m0s`, `2h0m0s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`
  const seconds = Math.ceil(ms / 1000)
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h > 0 ? `${h}h${m}m${s}s` : m > 0 ? `${m}m${s}s` : `${s}s`
}
