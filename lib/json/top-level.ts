import { JsonSurvey, type Span } from './survey.js'
import { parseValue } from './top-level-scanner.js'

export type { Span } from './survey.js'
export { skipSpace } from './top-level-scanner.js'

/**
 * Finds fields of a JSON object without building what they stand in: a client's 32 MiB of nested arrays would hold the
 * event loop for seconds in `JSON.parse`. It passes over what is not asked for and does not check it.
 *
 * @param names of the fields that are asked for; `undefined` for all, which decodes every name
 * @returns the fields that were found, the last of each name, or `undefined` where the bytes are no JSON object
 */
export function topLevelSpans(bytes: Buffer, names?: readonly string[]): Map<string, Span> | undefined {
  const survey = new JsonSurvey(bytes, names)
  survey.advance()
  return survey.isComplete ? survey.spans : undefined
}

/** The same, their values parsed. */
export function topLevelFields(bytes: Buffer, names: readonly string[]): Record<string, unknown> | undefined {
  const spans = topLevelSpans(bytes, names)
  return spans && parseFields(bytes, spans)
}

/** The values of fields that {@link JsonSurvey} found; of those that are long or no JSON, `undefined`. */
export function parseFields(bytes: Buffer, spans: ReadonlyMap<string, Span>): Record<string, unknown> {
  const found: Record<string, unknown> = Object.create(null)
  for (const [name, { start, end }] of spans) found[name] = parseValue(bytes, start, end)
  return found
}
