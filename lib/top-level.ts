const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const COLON = 0x3a
const COMMA = 0x2c

/** Where the value of a field stands in the bytes of a JSON object. */
export interface Span {
  readonly start: number
  readonly end: number
  /** The field stood there before as well; readers disagree about which one counts. */
  readonly isRepeated: boolean
}

/**
 * Finds fields of a JSON object without building what they stand in: a client's 32 MiB of nested arrays would hold the
 * event loop for seconds in `JSON.parse`. It passes over what is not asked for and does not check it.
 *
 * @returns the fields that were found, the last of each name, or `undefined` where the bytes are no JSON object
 */
export function topLevelSpans(bytes: Buffer, names?: readonly string[]): Map<string, Span> | undefined {
  const found = new Map<string, Span>()
  let at = skipSpace(bytes, skipBom(bytes))
  if (bytes[at] !== OPEN_BRACE) return undefined
  at = skipSpace(bytes, at + 1)
  while (bytes[at] === QUOTE) {
    const keyEnd = stringEnd(bytes, at)
    const key = parsed(bytes, at, keyEnd)
    at = skipSpace(bytes, keyEnd)
    if (bytes[at] !== COLON) return undefined
    const start = skipSpace(bytes, at + 1)
    at = valueEnd(bytes, start)
    if (typeof key === 'string' && (!names || names.includes(key))) {
      found.set(key, { start, end: at, isRepeated: found.has(key) })
    }
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1)
  }
  return bytes[at] === CLOSE_BRACE ? found : undefined
}

/** The same, their values parsed. */
export function topLevelFields(bytes: Buffer, names: readonly string[]): Record<string, unknown> | undefined {
  const spans = topLevelSpans(bytes, names)
  if (!spans) return undefined
  const found: Record<string, unknown> = Object.create(null)
  for (const [name, { start, end }] of spans) found[name] = parsed(bytes, start, end)
  return found
}

function skipBom(bytes: Buffer): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
}

/** Values that are asked for are small; a larger one is not what was meant. */
const LONGEST_VALUE = 64 * 1024

function parsed(bytes: Buffer, start: number, end: number): unknown {
  if (end - start > LONGEST_VALUE) return undefined
  try {
    return JSON.parse(bytes.toString('utf8', start, end))
  } catch {
    return undefined
  }
}

/** The index of the first byte from `start` on that is no white space. */
export function skipSpace(bytes: Buffer, start: number): number {
  let at = start
  while (at < bytes.length && bytes[at]! <= 0x20) at++
  return at
}

/** The index behind the string that begins at `start`. Long strings (images) are passed over at a search's speed. */
function stringEnd(bytes: Buffer, start: number): number {
  let from = start + 1
  for (;;) {
    const quote = bytes.indexOf(QUOTE, from)
    if (quote === -1) return bytes.length
    let backslashes = 0
    while (bytes[quote - 1 - backslashes] === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return quote + 1
    from = quote + 1
  }
}

/** The index of the comma or brace behind the value that begins at `start`. */
function valueEnd(bytes: Buffer, start: number): number {
  let depth = 0
  let at = start
  while (at < bytes.length) {
    const byte = bytes[at]!
    if (byte === QUOTE) {
      at = stringEnd(bytes, at)
      continue
    }
    if (depth === 0 && (byte === COMMA || byte === CLOSE_BRACE)) return at
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--
    at++
  }
  return at
}

/** Whether JSON is nested deeper than that. */
export function depthExceeds(bytes: Buffer, most: number): boolean {
  let depth = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === QUOTE) at = stringEnd(bytes, at) - 1
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > most) return true
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--
  }
  return false
}
