import { tryParseJson } from './json.js'
import { exceeds } from './run-survey.js'
import type { Bounds } from './survey.js'

/**
 * Limits for an answer, or an event of one, that is parsed whole for a hook: of 64 MiB of brackets, `JSON.parse` makes
 * gigabytes. The longest that are of use are lists of embeddings, some six million numbers of ten digits.
 */
export const HOOKED_BOUNDS: Partial<Bounds> = { depth: 500, fields: 10_000, work: 24_000_000 }

/** However it is written, a shorter text takes some ten MiB. */
const HARMLESS_CHARS = 64 * 1024

/** Thrown for JSON that would take so much memory that it must not even be parsed for a hook. */
export class UnwieldyJsonError extends Error {}

/**
 * Parses a JSON text; returns `undefined` if it is not valid.
 *
 * @throws UnwieldyJsonError
 */
export function tryParseWithinBounds(text: string): unknown {
  if (text.length > HARMLESS_CHARS && exceeds(Buffer.from(text), HOOKED_BOUNDS)) throw new UnwieldyJsonError()
  return tryParseJson(text)
}
