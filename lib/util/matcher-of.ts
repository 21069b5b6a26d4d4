/** Returns a function that checks whether a name is in the list; entries that end in `*` match any rest. */
export function matcherOf(names: readonly string[]): (name: string) => boolean {
  const exact = new Set(names)
  const starts = names.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1))
  return (name) => exact.has(name) || starts.some((start) => name.startsWith(start))
}
