/** A model's text of `bytes` UTF-8 bytes has about so many tokens; the README says how far off that is. */
const BYTES_PER_TOKEN = 4

/** After so many frames without a look, one is looked into again: of a burst the last one, as each look costs. */
const FRAMES_PER_SAMPLE = 32

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

  /**
   * Whether a frame of this length should be looked into, instead of being counted by its length.
   *
   * @param isLast it is the last of those that have come together
   */
  wantsLook(length: number, isLast: boolean): boolean {
    if (this.#envelope === undefined || length > this.#longest) return true
    return ++this.#sinceSample >= FRAMES_PER_SAMPLE && isLast
  }

  /** A frame that was looked into, and the text in it. */
  learn(length: number, text: string | undefined): void {
    this.#sinceSample = 0
    if (!text) return
    const bytes = Buffer.byteLength(text)
    this.tokens += bytes / BYTES_PER_TOKEN
    this.#envelope = Math.max(0, length - bytes)
    // Much longer frames are something else: a summary that repeats the text, a tool's result.
    this.#longest = Math.max(this.#longest, 2 * length)
  }

  /** A frame that was not looked into. */
  count(length: number): void {
    if (length > this.#envelope!) this.tokens += (length - this.#envelope!) / BYTES_PER_TOKEN
  }
}
