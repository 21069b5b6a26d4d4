/**
 * Returns whether a value can have options as its members: a literal, a module, an instance of a class. A list, a Map, a
 * date or a promise that was not awaited would pass for an object without any.
 */
export function hasMembers(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  return Object.prototype.toString.call(value) === '[object Object]'
}
