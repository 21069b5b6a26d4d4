/** So much is compared in front of the text: the field's name, and what tells one kind of event from another. */
const BYTES_BEFORE = 20

/** So much is compared behind it, or less where it has been seen to vary: that no other text stands there. */
const BYTES_AFTER = 12

/** Ids, counters and padding behind the text make a frame longer by up to so much. */
const MAX_VARIATION_BYTES = 32

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * Where the frames of one kind have their text: at the same place, with the same bytes before and behind it. Once it is
 * known from a frame that was parsed, the text of the next one is found by comparing a few bytes.
 */
export class TextLocation {
  readonly #offset: number
  #before: Buffer
  /** The name of the text's field, and the quote before the text: so much is compared in any case. */
  readonly #nameBytes: number
  #after: Buffer
  #maxBytesAfter: number

  /**
   * @param frame a frame that was parsed
   * @param start where its text begins, behind the opening quote
   * @param end where its closing quote stands
   */
  constructor(frame: Buffer, start: number, end: number) {
    this.#offset = start
    this.#before = Buffer.from(frame.subarray(Math.max(0, start - BYTES_BEFORE), start))
    this.#nameBytes = Math.min(start - nameStart(frame, start), this.#before.length)
    this.#after = Buffer.from(frame.subarray(end, end + BYTES_AFTER))
    this.#maxBytesAfter = frame.length - end + MAX_VARIATION_BYTES
  }

  /**
   * Looks whether a frame is of this kind.
   *
   * @returns where the closing quote of its text stands, or -1
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

  /** Where the text of a frame of this kind begins. */
  textStart(start: number): number {
    return start + this.#offset
  }

  /**
   * Takes in what varies around the text (times, ids, padding), by a frame whose text was found by parsing.
   *
   * @returns whether the frame has its text at this place
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
    // Backwards: what tells the kinds apart is the field's name.
    for (let at = 1; at <= before.length; at++) if (bytes[from - at] !== before[before.length - at]) return false
    return true
  }
}

/** @returns where the name of the field begins, at its quote, whose text begins at `start` */
function nameStart(frame: Buffer, start: number): number {
  const nameEnd = frame.lastIndexOf(QUOTE, start - 2)
  return nameEnd <= 0 ? 0 : Math.max(0, frame.lastIndexOf(QUOTE, nameEnd - 1))
}

/** @returns where the string ends that is open at `from`: at its closing quote, or at `end` */
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
 * @returns where it begins and ends between its quotes; `undefined` if it is not there in one piece, or more than once
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

/** As servers in Python write JSON. */
function asciiOnly(json: string): string {
  return json.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
