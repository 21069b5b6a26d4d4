import { validateHeaderName, validateHeaderValue } from 'node:http'
import { types } from 'node:util'
import { isA } from '../api/errors.js'
import type { HookAnswer, HookName } from '../api/hooks.js'
import { isObject } from '../json/json.js'
import { HookFault } from '../options/hook-errors.js'
import { isFramingHeader } from '../util/hop-by-hop.js'
import { nearest } from '../util/nearest.js'
import { isPlainObject } from '../util/plain-object.js'
import { kindOf, shown } from '../util/shown.js'

/** The app's answer in place of the provider's, as it will be sent. */
export interface FinishedAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly content: string | Buffer | undefined
}

/**
 * Converts what a hook returned to the answer to send.
 *
 * @param given what the hook was called with, which is no answer
 * @param ownStatus the status of an answer that has none of its own
 * @throws HookFault if it is not a valid answer
 */
export function toFinishedAnswer(
  hook: HookName,
  returned: unknown,
  given: object,
  ownStatus = 200,
): FinishedAnswer | undefined {
  if (returned === undefined) return undefined
  if (returned === given) {
    throw new HookFault(`${hook} returned what it was given, which is no answer: change that, and return nothing`)
  }
  if (!isAnswer(returned)) {
    throw new HookFault(`${hook} must return nothing, or { status, headers, body }; got ${kindOf(returned)}`)
  }
  rejectTypos(hook, returned)
  const { status = ownStatus, headers = {}, body } = returned as HookAnswer
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new HookFault(`${hook} answers with a status from 200 to 599, not ${shown(status)}`)
  }
  const own = Object.fromEntries(checkedHeaders(hook, headers, isFramingHeader)) as Record<string, string>
  if (status === 204 || status === 304) return { status, headers: own, content: undefined }
  const raw = status === 205 ? undefined : rawBody(body)
  const isRaw = raw !== undefined
  const content = isRaw ? raw : status === 205 ? undefined : jsonOf(hook, body)
  const type: Record<string, string> =
    isRaw || content === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }
  const length = String(content === undefined ? 0 : Buffer.byteLength(content))
  return { status, headers: { ...type, ...own, 'content-length': length }, content }
}

const MEMBERS = ['status', 'headers', 'body']

/**
 * Returns whether a value can be an answer. A Response of fetch, a Buffer or a Date would be sent as an empty 200, and an error
 * that is returned instead of thrown would lose its message.
 */
function isAnswer(value: unknown): value is object {
  if (!isObject(value) || nameOfFetch(value) === 'Response' || isA(Error, value)) return false
  return isPlainObject(value) || MEMBERS.some((name) => name in value)
}

/** An answer with `statusCode`, or a request that was spread, would go out with status 200. */
function rejectTypos(hook: HookName, answer: object): void {
  const unknown = isPlainObject(answer) && Object.keys(answer).find((name) => !MEMBERS.includes(name))
  if (!unknown) return
  const near = unknown === 'statusCode' ? 'status' : nearest(unknown, MEMBERS)
  const meant = near ? `. Did you mean \`${near}\`?` : ''
  throw new HookFault(`${hook} answers with { status, headers, body }, not with \`${unknown}\`${meant}`)
}

function rawBody(body: unknown): string | Buffer | undefined {
  if (typeof body === 'string' || Buffer.isBuffer(body)) return body
  return types.isUint8Array(body) ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : undefined
}

/** Classes whose instances JSON turns into an empty object. */
const WITHOUT_JSON = ['Response', 'ReadableStream', 'Blob', 'File', 'FormData', 'Promise', 'Map', 'Set', 'ArrayBuffer']

/** Returns the name of a built-in class, of the runtime or of a package that stands in for it. */
function nameOfFetch(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1)
}

function jsonOf(hook: HookName, body: unknown): string | undefined {
  const name = nameOfFetch(body)
  if (WITHOUT_JSON.includes(name)) throw new HookFault(`${hook} answers with a body that cannot be sent: a ${name}`)
  let cause: unknown
  try {
    const text = JSON.stringify(body) as string | undefined
    if (text !== undefined || body === undefined) return text
  } catch (thrown) {
    cause = thrown
  }
  throw new HookFault(`${hook} answers with a body that cannot be written as JSON`, { cause })
}

/**
 * Returns the headers that a hook set, by lower-case names. Those without a value (`undefined`, `null`) are left out. An
 * array holds several values of one name, as in Node.
 *
 * @param isOurs says which names, in lower case, are left out, whatever their values are
 * @throws HookFault if they are not a plain object, or HTTP cannot carry one
 */
export function checkedHeaders(
  hook: HookName,
  headers: unknown,
  isOurs: (name: string) => boolean,
): [name: string, value: string | string[]][] {
  // Nothing of a Headers or a Map would be seen.
  if (!isPlainObject(headers)) {
    const how = 'Object.fromEntries makes one of Headers or a Map'
    throw new HookFault(`${hook} must set headers as a plain object (${how}); got ${kindOf(headers)}`)
  }
  return Object.entries(headers).flatMap(([given, value]): [string, string | string[]][] => {
    const name = given.toLowerCase()
    if (value === undefined || value === null || isOurs(name)) return []
    checkHeader(hook, given, value)
    return [[name, value as string | string[]]]
  })
}

/** Validates a header. Node would turn any object into text; numbers are sent as such. */
function checkHeader(hook: HookName, name: string, value: unknown): void {
  try {
    validateHeaderName(name)
    for (const one of [value].flat()) {
      if (typeof one !== 'string' && typeof one !== 'number') throw new TypeError(`It is not a string: ${typeof one}`)
      validateHeaderValue(name, one as string)
    }
  } catch (cause) {
    throw new HookFault(`${hook} sets a header that HTTP forbids: ${name}`, { cause })
  }
}
