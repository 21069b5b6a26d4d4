import type { Environment } from './environment.js'

/** A longer timer fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Returns anything from 0 to a bound that starts with `baseMs` and doubles with each retry up to `maxMs` (full jitter). */
export function backoffMs(
  retry: number,
  { baseMs, maxMs }: { readonly baseMs: number; readonly maxMs: number },
  environment: Environment,
): number {
  return environment.random() * Math.min(maxMs, MAX_TIMER_MS, baseMs * 2 ** retry)
}

/** Reads `retry-after`, in seconds or as an HTTP date. @returns milliseconds; 0 without a header that can be read */
export function retryAfterMs(headers: Headers, environment: Environment): number {
  const text = headers.get('retry-after')?.trim() ?? ''
  if (/^\d+$/.test(text)) return Number(text) * 1000
  const date = Date.parse(text)
  return Number.isNaN(date) ? 0 : Math.max(0, date - environment.now())
}
