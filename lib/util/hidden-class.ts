import { IncomingMessage, ServerResponse } from 'node:http'
import { types } from 'node:util'

/**
 * Express replaces the prototypes of each request and response. From then on, V8 before version 13 (Node 24) gives such
 * an object a hidden class of its own whenever a property is added, with a copy of the names of all its properties. No
 * inline cache knows that class, neither here nor in Node's `http`: each request misses some 150 times.
 */
const splitsHiddenClasses = !('Bun' in globalThis) && Number.parseInt(process.versions.v8, 10) < 13

/**
 * Lets requests and responses share one hidden class each, if they do not: in V8's dictionary mode, all objects with the
 * same prototype have the same one, whatever their properties are.
 */
export function shareHiddenClasses(req: IncomingMessage, res: ServerResponse): void {
  if (!splitsHiddenClasses) return
  if (Object.getPrototypeOf(req) !== IncomingMessage.prototype) enterDictionaryMode(req, 'httpVersion')
  if (Object.getPrototypeOf(res) !== ServerResponse.prototype) enterDictionaryMode(res, 'sendDate')
}

/**
 * Puts an object into dictionary mode. Its properties stay the same; only their order changes.
 *
 * @param property one that the object has had from its beginning: deleting it ends the fast mode, while deleting the
 *   last one that was added would only undo the addition. It is put back as it was
 */
function enterDictionaryMode(object: object, property: string): void {
  const descriptor = Object.getOwnPropertyDescriptor(object, property)
  if (!descriptor?.configurable || !Object.isExtensible(object) || types.isProxy(object)) return
  Reflect.deleteProperty(object, property)
  Reflect.defineProperty(object, property, descriptor)
}
