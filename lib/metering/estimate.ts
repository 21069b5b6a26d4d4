/** A model's text of `bytes` UTF-8 bytes has about so many tokens; the README says how far off that is. */
const BYTES_PER_TOKEN = 4

/**
 * After so many frames without a look, one is looked into again: of a burst the last one, as each look costs. As long as
 * the envelope stays what it was, looks become rarer.
 */
const FRAMES_PER_SAMPLE = { least: 32, most: 1024 }

/** Ids and counters in an envelope vary by so much. */
const SAME_WITHIN_BYTES = 2

/**
 * Estimates the tokens of a stream without reading its frames. What stands around the text in a frame (the envelope) is
 * much the same from frame to frame: it is learned from a few that are looked into, and of the rest only the length counts.
 */
export class RunningEstimate {
  tokens = 0
  /** Bytes of a frame that are not text; `undefined` until a frame with text was looked into. */
  #envelope: number | undefined
  #longest = 0
  #sinceSample = 0
  #nextSample = FRAMES_PER_SAMPLE.least

  /**
   * Whether a frame of this length should be looked into, instead of being counted by its length.
   *
   * @param isLast it is the last of those that have come together
   */
  wantsLook(length: number, isLast: boolean): boolean {
    if (this.#envelope === undefined || length > this.#longest) return true
    return ++this.#sinceSample >= this.#nextSample && isLast
  }

  /** A frame that was looked into, and the text in it. */
  learn(length: number, text: string | undefined): void {
    this.#sinceSample = 0
    if (!text) return
    const bytes = Buffer.byteLength(text)
    this.tokens += bytes / BYTES_PER_TOKEN
    const envelope = Math.max(0, length - bytes)
    const isSame = this.#envelope !== undefined && Math.abs(envelope - this.#envelope) <= SAME_WITHIN_BYTES
    this.#nextSample = isSame ? Math.min(2 * this.#nextSample, FRAMES_PER_SAMPLE.most) : FRAMES_PER_SAMPLE.least
    this.#envelope = envelope
    // Much longer frames are something else: a summary that repeats the text, a tool's result.
    this.#longest = Math.max(this.#longest, 2 * length)
  }

  /** A frame that was not looked into. */
  count(length: number): void {
    if (length > this.#envelope!) this.tokens += (length - this.#envelope!) / BYTES_PER_TOKEN
  }
}
