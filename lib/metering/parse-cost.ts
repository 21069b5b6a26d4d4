/** Reading this many lines takes a second, whatever they hold. */
const MAX_LINES = 1_000_000

/** A frame of up to this size takes at most two or three milliseconds, whatever it holds. */
const CHEAP_BYTES = 16 * 1024

/** Limit for objects, arrays, fields, elements and lines: JSON of nothing but these takes a microsecond for each. */
const MAX_STRUCTURE = 10_000

const COMMA = 0x2c
const LINE_END = 0x0a
const CARRIAGE_RETURN = 0x0d
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

/** Returns whether a frame has so many lines that it must not even be read for a hook. */
export function hasTooManyLines(frame: Buffer): boolean {
  if (frame.length <= MAX_LINES) return false
  let lines = 0
  for (const byte of frame) if (byte === LINE_END || byte === CARRIAGE_RETURN) lines++
  return lines > MAX_LINES
}
