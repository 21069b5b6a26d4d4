/** Few distinct strings recur, but clients choose them: without a bound the cache could grow for ever. */
const MAX_ENTRIES = 200

/** Memoizes the first results of a pure function of a string. */
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
