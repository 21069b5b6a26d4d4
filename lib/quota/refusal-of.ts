import type { Refusal } from '../api/policy.js'
import { type AnyFormatName, duration, noRetryHeadersOf } from '../formats/index.js'
import type { LimitStatus } from './headers.js'

/**
 * Later than this, a client that tries again by itself would only hammer: OpenAI's and Anthropic's SDKs for Python then
 * ignore `retry-after`, and try again within seconds.
 */
const SOON_MS = 60_000

/** A request that exceeds a limit. */
export interface Exceeded {
  readonly limit: LimitStatus
  /** What the request may need. */
  readonly needs: number
  /** Milliseconds until it may fit; `Infinity` if it never does; 0 if only requests under way are in its way. */
  readonly fitsInMs: number
}

/**
 * Returns the refusal of a request that exceeds a limit.
 *
 * @param headers the state of its limits
 * @param format the one that the client speaks
 */
export function refusalOf(
  { limit, needs, fitsInMs }: Exceeded,
  headers: Readonly<Record<string, string>>,
  format: AnyFormatName,
): Refusal {
  const never = fitsInMs === Number.POSITIVE_INFINITY
  const seconds = Math.max(1, Math.ceil(fitsInMs / 1000))
  return {
    code: 'quota_exceeded',
    message: messageOf(limit, needs, fitsInMs),
    headers: {
      ...headers,
      ...(!never && { 'retry-after': String(seconds) }),
      ...(fitsInMs > SOON_MS && noRetryHeadersOf(format)),
    },
  }
}

/** Names limit, used, allowed and reset. */
function messageOf({ key, kind, per, allowed, used }: LimitStatus, needs: number, fitsInMs: number): string {
  const what = kind === 'concurrent' ? 'concurrent requests' : `${kind} per ${per}`
  const stands = `The quota of ${what} for ${key} is exceeded: ${shown(used)} of ${shown(allowed)} used`
  if (fitsInMs === Number.POSITIVE_INFINITY) return `${stands}, and this request may need ${shown(needs)}`
  const asks = needs > 1 || kind === 'cost' ? `, and this request may need ${shown(needs)}` : ''
  return fitsInMs > 0 ? `${stands}${asks}; there is room in ${duration(fitsInMs)}` : `${stands}${asks}`
}

function shown(amount: number): string {
  return String(Number(amount.toFixed(amount < 1 ? 6 : 2)))
}
