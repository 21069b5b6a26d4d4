import { isPlainObject } from '../util/plain-object.js'
import { hint, invalidOption } from './validate.js'

const TAKES = 'what JSON can carry: null, true, false, strings, finite numbers, lists, and plain objects of them'

/**
 * Validates a value that goes into JSON. A field of an object may be `undefined`, which leaves the field out.
 *
 * @param option its name
 * @param around the objects and lists that the value is in
 * @throws TypeError if JSON would drop, change or refuse a part of it
 */
export function checkJsonValue(option: string, value: unknown, around: readonly object[] = []): void {
  if (value === null || typeof value === 'boolean' || typeof value === 'string' || Number.isFinite(value)) return
  if (!Array.isArray(value) && !isPlainObject(value)) invalidOption(option, value, TAKES)
  if (around.includes(value)) invalidOption(option, hint('an object that contains itself'), TAKES)
  const inner = [...around, value]
  if (Array.isArray(value)) {
    for (const [at, each] of value.entries()) checkJsonValue(`${option}[${at}]`, each, inner)
    return
  }
  for (const [name, each] of Object.entries(value)) {
    if (each !== undefined) checkJsonValue(`${option}.${name}`, each, inner)
  }
}
