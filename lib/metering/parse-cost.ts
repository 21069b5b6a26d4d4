import { exceeds } from '../json/run-survey.js'
import type { Bounds } from '../json/survey.js'

/**
 * Limits for an answer, or an event of one, that is parsed whole for a hook: of 64 MiB of brackets, `JSON.parse` makes
 * gigabytes. The longest that are of use are lists of embeddings, some six million numbers of ten digits.
 */
export const HOOKED_BOUNDS: Partial<Bounds> = { depth: 500, fields: 10_000, work: 24_000_000 }

/** However it is written, a shorter frame takes some ten MiB. */
const HARMLESS_BYTES = 64 * 1024

/** Returns whether parsing a frame would take so much memory that it must not even be parsed for a hook. */
export function isTooLargeToParse(frame: Buffer): boolean {
  return frame.length > HARMLESS_BYTES && exceeds(frame, HOOKED_BOUNDS)
}

/** A frame of up to this size takes at most two or three milliseconds, whatever it holds. */
const CHEAP_BYTES = 16 * 1024

/** Limit for objects, arrays, fields, elements and lines: JSON of nothing but these takes a microsecond for each. */
const MAX_STRUCTURE = 10_000

const COMMA = 0x2c
const LINE_END = 0x0a
const OPEN_BRACKET = 0x5b
/** The bit in which a bracket and a brace differ. */
const BRACE_BIT = 0x20

/**
 * Returns whether parsing a frame would hold the event loop longer than a turn may. Structure decides; text is cheap.
 */
export function isExpensiveToParse(frame: Buffer): boolean {
  if (frame.length <= CHEAP_BYTES) return false
  let structure = 0
  for (const byte of frame) {
    if (byte === COMMA || byte === LINE_END || (byte & ~BRACE_BIT) === OPEN_BRACKET) structure++
  }
  return structure > MAX_STRUCTURE
}
