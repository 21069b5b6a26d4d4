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
 * Returns the headers that tell a client how its limits stand: those of OpenAI for requests and tokens, and those of the IETF's
 * draft for both.
 *
 * - https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
 * - https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10
 */
export function limitHeaders(limits: readonly LimitStatus[]): Record<string, string> {
  const headers: Record<string, string> = {}
  // Money is not a whole number, and not the client's business.
  const inTime = limits.filter(({ kind }) => kind === 'requests' || kind === 'tokens')
  for (const kind of ['requests', 'tokens'] as const) {
    const tightest = tightestOf(inTime.filter((limit) => limit.kind === kind))
    if (!tightest) continue
    headers[`x-ratelimit-limit-${kind}`] = String(Math.floor(tightest.allowed))
    headers[`x-ratelimit-remaining-${kind}`] = String(remainingOf(tightest))
    headers[`x-ratelimit-reset-${kind}`] = duration(tightest.resetMs)
  }
  const tightest = tightestOf(inTime)
  if (!tightest) return headers
  const named = inTime.map((limit, at) => [`${limit.kind}-${limit.per}${at > 0 ? `-${at + 1}` : ''}`, limit] as const)
  headers['ratelimit-policy'] = named
    .map(([name, { allowed, per }]) => `"${name}";q=${Math.floor(allowed)}${secondsOf(per)}`)
    .join(', ')
  headers.ratelimit = named
    .map(([name, limit]) => `"${name}";r=${remainingOf(limit)};t=${Math.ceil(limit.resetMs / 1000)}`)
    .join(', ')
  return headers
}

function tightestOf(limits: readonly LimitStatus[]): LimitStatus | undefined {
  const share = (limit: LimitStatus) => (limit.allowed > 0 ? remainingOf(limit) / limit.allowed : 0)
  let [tightest] = limits
  for (const limit of limits) if (tightest && share(limit) < share(tightest)) tightest = limit
  return tightest
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
