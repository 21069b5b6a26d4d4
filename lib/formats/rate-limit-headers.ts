/** A limit as its headers show it. */
export interface ShownLimit {
  readonly allowed: number
  readonly remaining: number
  /** Milliseconds until nothing of it counts any more. */
  readonly resetMs: number
}

const NAMES = {
  requests: ['x-ratelimit-limit-requests', 'x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests'],
  tokens: ['x-ratelimit-limit-tokens', 'x-ratelimit-remaining-tokens', 'x-ratelimit-reset-tokens'],
} as const

/**
 * Adds the headers by which OpenAI, and many others after it, show the state of a limit:
 * https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
 */
export function addRateLimit(
  headers: Record<string, string>,
  kind: 'requests' | 'tokens',
  { allowed, remaining, resetMs }: ShownLimit,
): void {
  const names = NAMES[kind]
  headers[names[0]] = String(allowed)
  headers[names[1]] = String(remaining)
  headers[names[2]] = duration(resetMs)
}

/** Writes a time as OpenAI does: `20ms`, `1s`, `6m0s`, `2h0m0s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`
  const seconds = Math.ceil(ms / 1000)
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h > 0 ? `${h}h${m}m${s}s` : m > 0 ? `${m}m${s}s` : `${s}s`
}
