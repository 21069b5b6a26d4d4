/** By the headers, which an app may hand on in an object of its own. */
const keys = new WeakMap<object, Set<string>>()

/** Notes a key of the app's own that a client sent: whatever the options say, no header that holds it goes to a provider. */
export function consumeKey(headers: object, key: string): void {
  const known = keys.get(headers)
  if (known) known.add(key)
  else keys.set(headers, new Set([key]))
}

/**
 * Returns whether a header's value, or a part of a query, holds a key of the app's own.
 *
 * @param headers of the client's request
 */
export function holdsConsumedKey(headers: object, value: string | readonly string[]): boolean {
  const known = keys.get(headers)
  if (!known) return false
  const values = typeof value === 'string' ? [value] : value
  return values.some((each) => [...known].some((key) => each.includes(key)))
}
