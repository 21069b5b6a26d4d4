const FIRST = Symbol('first')
const LAST = Symbol('last')

/**
 * Puts an object into V8's dictionary mode, in which objects with the same prototype share one hidden class, whatever
 * properties they have.
 *
 * Express replaces the prototypes of each request and response. From then on, V8 remembers no transition for them: each
 * property that is added gives that one object a hidden class of its own, with a copy of the names of all its properties.
 * No inline cache knows that class, neither here nor in Node's `http`.
 *
 * Nothing changes but the speed of access. An object that cannot be extended stays as it is.
 */
export function useDictionaryMode(object: object): void {
  if (!Object.isExtensible(object)) return
  const properties = object as Record<symbol, unknown>
  properties[FIRST] = properties[LAST] = true
  // Deleting the property that was added last would only undo the addition. Deleting another one ends the fast mode.
  Reflect.deleteProperty(object, FIRST)
  Reflect.deleteProperty(object, LAST)
}
