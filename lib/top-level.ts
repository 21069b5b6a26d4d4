import { JsonNesting } from './json-nesting.js'
import { parsed, type Span, TopLevelScanner } from './top-level-scanner.js'

export { type Span, skipSpace } from './top-level-scanner.js'

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
