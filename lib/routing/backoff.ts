/**
 * Returns how long to wait before a target is asked again: anything from 0 to a bound that starts with `min` and doubles
 * with each retry up to `max` (full jitter). Clients that failed together then do not come back together.
 *
 * @param retry 0 for the first
 * @param range bounds of the first backoff, and of all, in milliseconds
 * @param random returns a number from 0 to 1, without 1
 */
export function backoffMs(retry: number, range: readonly [min: number, max: number], random: () => number): number {
  const [min, max] = range
  return random() * Math.min(max, min * 2 ** retry)
}
