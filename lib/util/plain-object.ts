/**
 * Returns whether a value is an object as a literal or `JSON.parse` makes one, in any realm. Instances of classes are
 * not: the fields of a Map or of `Headers` cannot be listed as an object's.
 */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
