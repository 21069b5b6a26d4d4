import { JsonSurvey, type Span } from './survey.js'
import { parseValue } from './top-level-scanner.js'

export type { Span } from './survey.js'
export { skipSpace } from './top-level-scanner.js'

/**
 * Finds top-level fields of a JSON object without building the values around them: `JSON.parse` of a client's 32 MiB of
 * nested arrays would hold the event loop for seconds. Fields that are not wanted are skipped and not validated.
 *
 * @param names the wanted fields; `undefined` for all, which decodes every name
 * @returns the fields found, the last one of each name; `undefined` if the bytes are not a JSON object
 */
export function topLevelSpans(bytes: Buffer, names?: readonly string[]): Map<string, Span> | undefined {
  const survey = new JsonSurvey(bytes, names)
  survey.advance()
  return survey.isComplete ? survey.spans : undefined
}

/** Finds top-level fields like {@link topLevelSpans}, and parses their values. */
export function topLevelFields(bytes: Buffer, names: readonly string[]): Record<string, unknown> | undefined {
  const spans = topLevelSpans(bytes, names)
  return spans && parseFields(bytes, spans)
}

/** Parses the values of fields that {@link JsonSurvey} found; `undefined` for values that are too long or not JSON. */
export function parseFields(bytes: Buffer, spans: ReadonlyMap<string, Span>): Record<string, unknown> {
  const found: Record<string, unknown> = Object.create(null)
  for (const [name, { start, end }] of spans) found[name] = parseValue(bytes, start, end)
  return found
}
