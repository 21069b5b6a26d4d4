import { JsonNesting } from './nesting.js'

/** What ends the streams of OpenAI and of many others. It is no JSON, and to have that thrown costs more than an event. */
const DONE = '[DONE]'

/** The value of a JSON text; `undefined` where it is none. */
export function tryParseJson(text: string): unknown {
  if (text === DONE) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * The value of JSON text in UTF-8, which a byte order mark may begin.
 *
 * @throws SyntaxError
 */
export function parseJsonBytes(bytes: Buffer): unknown {
  const text = bytes.toString()
  return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
}

/**
 * Whether the bytes are the beginning of a JSON text, and not all of it: a string, an array or an object is open at their
 * end. Nothing is built; what is no JSON is not unfinished.
 */
export function isUnfinishedJson(bytes: Buffer): boolean {
  const first = bytes
    .toString('latin1', 0, 64)
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart()[0]
  if (first === undefined || !'{["'.includes(first)) return false
  const nesting = new JsonNesting()
  nesting.skipAll(bytes)
  return nesting.isOpen
}

/** An object, and no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
