/** V8 copies shorter parts of a text anyway. */
const MAX_COPIED_LENGTH = 12

/**
 * Returns at most `max` characters of a text, for something that may be kept for long. A slice would keep the text that
 * it was taken from alive, which may be a whole request.
 */
export function beginningOf(text: string, max: number): string {
  const beginning = text.slice(0, max)
  if (beginning.length <= MAX_COPIED_LENGTH) return beginning
  // The only encoding that also keeps half of a surrogate pair.
  return Buffer.from(beginning, 'utf16le').toString('utf16le')
}
