/** Number of bytes compared before the text: the field's name, and what distinguishes kinds of events. */
const BYTES_BEFORE = 20

/** Number of bytes compared after it, fewer if they have been seen to vary: they show that no other text is there. */
const BYTES_AFTER = 12

/** Ids, counters and padding after the text may make a frame this much longer. */
const MAX_VARIATION_BYTES = 32

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * The location of the text in frames of one kind: at the same offset, with the same bytes before and after it. Once a
 * parsed frame has shown it, comparing a few bytes finds the text of the next frame.
 */
export class TextLocation {
  readonly #offset: number
  #before: Buffer
  /** Length of the field's name and the quote before the text, which are always compared. */
  readonly #nameBytes: number
  #after: Buffer
  #maxBytesAfter: number

  /**
   * @param frame a frame that was parsed
   * @param start start of its text, after the opening quote
   * @param end index of the closing quote
   */
  constructor(frame: Buffer, start: number, end: number) {
    this.#offset = start
    this.#before = Buffer.from(frame.subarray(Math.max(0, start - BYTES_BEFORE), start))
    this.#nameBytes = Math.min(start - nameStart(frame, start), this.#before.length)
    this.#after = Buffer.from(frame.subarray(end, end + BYTES_AFTER))
    this.#maxBytesAfter = frame.length - end + MAX_VARIATION_BYTES
  }

  /**
   * Checks whether a frame is of this kind.
   *
   * @returns the index of the closing quote of its text, or -1
   */
  findEnd(bytes: Buffer, start: number, end: number): number {
    const from = this.textStart(start)
    if (!this.#matchesBefore(bytes, start, end)) return -1
    const quote = stringEnd(bytes, from, end)
    const after = this.#after
    if (end - quote < after.length || end - quote > this.#maxBytesAfter) return -1
    for (let at = 0; at < after.length; at++) if (bytes[quote + at] !== after[at]) return -1
    return quote
  }

  /** Returns where the text begins in a frame of this kind. */
  textStart(start: number): number {
    return start + this.#offset
  }

  /**
   * Adapts to what varies around the text (times, ids, padding), given a parsed frame.
   *
   * @returns whether that frame has its text at this location
   */
  widen(frame: Buffer, start: number, end: number): boolean {
    if (start !== this.#offset) return false
    const before = this.#before
    let sameBefore = 0
    while (sameBefore < before.length && frame[start - 1 - sameBefore] === before[before.length - 1 - sameBefore]) {
      sameBefore++
    }
    if (sameBefore < this.#nameBytes) return false
    this.#before = before.subarray(before.length - sameBefore)
    const behind = this.#after
    let same = 0
    while (same < behind.length && frame[end + same] === behind[same]) same++
    this.#after = behind.subarray(0, same)
    this.#maxBytesAfter = Math.max(this.#maxBytesAfter, frame.length - end + MAX_VARIATION_BYTES)
    return true
  }

  #matchesBefore(bytes: Buffer, start: number, end: number): boolean {
    const before = this.#before
    const from = start + this.#offset
    if (from >= end) return false
    // Backwards, because the field's name distinguishes the kinds.
    for (let at = 1; at <= before.length; at++) if (bytes[from - at] !== before[before.length - at]) return false
    return true
  }
}

/** @returns the index of the opening quote of the name of the field whose text begins at `start` */
function nameStart(frame: Buffer, start: number): number {
  const nameEnd = frame.lastIndexOf(QUOTE, start - 2)
  return nameEnd <= 0 ? 0 : Math.max(0, frame.lastIndexOf(QUOTE, nameEnd - 1))
}

/** @returns the index of the closing quote of the string open at `from`, or `end` */
function stringEnd(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end) {
    const byte = bytes[at]!
    if (byte === QUOTE) return at
    at += byte === BACKSLASH ? 2 : 1
  }
  return end
}

/**
 * Finds a text in the frame that it was parsed from.
 *
 * @returns its start and end between the quotes; `undefined` if it is not there in one piece, or there more than once
 */
export function locateText(frame: Buffer, text: string): { start: number; end: number } | undefined {
  const json = JSON.stringify(text)
  for (const written of [json, asciiOnly(json)]) {
    const bytes = Buffer.from(written)
    const at = frame.indexOf(bytes)
    if (at === -1) continue
    if (frame.indexOf(bytes, at + 1) !== -1) return undefined
    return { start: at + 1, end: at + bytes.length - 1 }
  }
  return undefined
}

/** Escapes like JSON encoders in Python. */
function asciiOnly(json: string): string {
  return json.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
