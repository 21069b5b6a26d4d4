import { JsonNesting } from './json-nesting.js'
import { parsed, type Span, TopLevelScanner } from './top-level-scanner.js'

export { type Span, skipSpace } from './top-level-scanner.js'

const COMMA = 0x2c

/**
 * Finds fields of a JSON object without building what they stand in: a client's 32 MiB of nested arrays would hold the
 * event loop for seconds in `JSON.parse`. It passes over what is not asked for and does not check it.
 *
 * @returns the fields that were found, the last of each name, or `undefined` where the bytes are no JSON object
 */
export function topLevelSpans(bytes: Buffer, names?: readonly string[]): Map<string, Span> | undefined {
  const scanner = new TopLevelScanner(names)
  scanner.push(bytes)
  return scanner.isWhole ? scanner.spans : undefined
}

/** The same, their values parsed. */
export function topLevelFields(bytes: Buffer, names: readonly string[]): Record<string, unknown> | undefined {
  const spans = topLevelSpans(bytes, names)
  if (!spans) return undefined
  const found: Record<string, unknown> = Object.create(null)
  for (const [name, { start, end }] of spans) found[name] = parsed(bytes, start, end)
  return found
}

/** Whether JSON is nested deeper than that. */
export function depthExceeds(bytes: Buffer, most: number): boolean {
  const nesting = new JsonNesting()
  nesting.skip(bytes, 0, most + 1)
  return nesting.depth > most
}

/** To build an object or an array costs about as much as so many numbers. */
const NUMBERS_PER_OBJECT = 10

/** Whether to parse JSON would be more than to build so many numbers; text costs its bytes alone. */
export function workExceeds(bytes: Buffer, most: number): boolean {
  const nesting = new JsonNesting()
  let work = 0
  for (let at = 0; at < bytes.length && work <= most; ) {
    const byte = bytes[at++]!
    if (byte === COMMA) work++
    else if (!nesting.begin(byte)) continue
    else if (nesting.inString) at = nesting.skip(bytes, at, nesting.depth)
    else work += NUMBERS_PER_OBJECT
  }
  return work > most
}
