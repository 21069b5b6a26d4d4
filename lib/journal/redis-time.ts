/** Redis takes whole milliseconds, of which there must be some, and not more than its clock can add up. */
export function wholeMs(ms: number): string {
  return String(Math.min(Number.MAX_SAFE_INTEGER, Math.max(1, Math.round(ms))))
}
