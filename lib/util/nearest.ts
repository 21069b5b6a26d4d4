/**
 * Returns the (dotted) name that was likely meant, or `undefined`. Its last part may differ in at most a third of its
 * letters.
 */
export function nearest(name: string, known: readonly string[], maxDistance = 1 / 3): string | undefined {
  let best: string | undefined
  let least = Infinity
  for (const candidate of known) {
    const lastPart = candidate.slice(candidate.lastIndexOf('.') + 1)
    const distance = editDistance(name.toLowerCase(), lastPart.toLowerCase()) / Math.max(6, lastPart.length)
    if (distance < least) [best, least] = [candidate, distance]
  }
  return least <= maxDistance ? best : undefined
}

/** Returns Levenshtein's distance, computed one row of the table at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]!
}
