/** What is asked again and again is asked of few strings; as clients choose them, not more than these are remembered. */
const MAX_ENTRIES = 200

/** A pure function of a string that remembers its first results. */
export function memoize<T>(compute: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    const before = known.get(text)
    if (before !== undefined) return before
    const result = compute(text)
    if (known.size < MAX_ENTRIES) known.set(text, result)
    return result
  }
}
