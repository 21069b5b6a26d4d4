import { JsonNesting } from './nesting.js'

const [OPEN_BRACKET, A, Z] = [0x5b, 0x41, 0x5a]

/** Parses a JSON text; returns `undefined` if it is not valid. */
export function tryParseJson(text: string): unknown {
  if (beginsWithWordInBrackets(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Returns whether a text begins like `[END]`. Many streams end in such a word; it is not JSON, and a thrown SyntaxError
 * costs more than parsing an event.
 */
function beginsWithWordInBrackets(text: string): boolean {
  if (text.charCodeAt(0) !== OPEN_BRACKET) return false
  const second = text.charCodeAt(1)
  return second >= A && second <= Z
}

/** Parses JSON text in UTF-8, with or without a byte order mark; returns `undefined` if it is not valid. */
export function tryParseJsonBytes(bytes: Buffer): unknown {
  return tryParseJson(withoutMark(bytes.toString()))
}

/**
 * Parses JSON text in UTF-8, with or without a byte order mark.
 *
 * @throws SyntaxError
 */
export function parseJsonBytes(bytes: Buffer): unknown {
  return JSON.parse(withoutMark(bytes.toString()))
}

function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

/**
 * Returns whether the bytes begin a JSON text but do not complete it: a string, array or object is still open at the
 * end. Builds nothing. Bytes that are not JSON do not count as unfinished.
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

/** Returns whether a value is an object and not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
