/** Of a model's text, in UTF-8; the README says how far off that is. */
const BYTES_PER_TOKEN = 4

/** Many providers send each token as it comes, and few tokens are longer. */
const LONGEST_TOKEN_BYTES = 12

/** So many frames with text are looked into at the beginning. */
const FIRST_LOOKS = 4

/**
 * After so many frames without a look, one is looked into again: of a burst the last one, as each look costs. As long as
 * the envelope stays what it was, looks become rarer.
 */
const FRAMES_PER_LOOK = { least: 32, most: 64 }

/** Ids and counters in an envelope vary by so much. */
const SAME_WITHIN_BYTES = 2

/** About how many tokens a piece of a stream has that holds so many bytes of text. */
function tokensIn(bytes: number): number {
  return bytes <= LONGEST_TOKEN_BYTES ? 1 : bytes / BYTES_PER_TOKEN
}

/**
 * Estimates the tokens of a stream without reading its frames. What stands around the text in a frame (the envelope) is
 * much the same from frame to frame: it is learned from a few that are looked into, and of the rest only the length counts.
 * Where frames are padded to one length (OpenAI's `obfuscation`), the text of those looked into stands for the others'.
 */
export class RunningEstimate {
  tokens = 0
  #looks = 0
  /** Of the frame with text that was looked into last: its length, and how much of it is not text. */
  #length = 0
  #envelope = 0
  /** Frames have one length, whatever text is in them. */
  #isPadded = false
  /** Bytes of text in a frame, on average over those that were looked into, the last ones counting most. */
  #textPerFrame = 0
  /** A longer frame is something else than those before: a tool's call, a summary that repeats the text. */
  #longest = 0
  #sinceLook = 0
  #nextLook = FRAMES_PER_LOOK.least

  /**
   * Whether a frame of this length should be looked into, instead of being counted by its length.
   *
   * @param isLast it is the last of those that have come together
   */
  wantsLook(length: number, isLast: boolean): boolean {
    if (this.#looks < FIRST_LOOKS || length > this.#longest) return true
    return ++this.#sinceLook >= this.#nextLook && isLast
  }

  /**
   * A frame that was looked into, and the text in it.
   *
   * @param tokens of the text, where they are known better than by its length
   */
  learn(length: number, text: string | undefined, tokens?: number): void {
    this.#sinceLook = 0
    if (!text) return
    const bytes = Buffer.byteLength(text)
    const envelope = Math.max(0, length - bytes)
    const isSame = Math.abs(envelope - this.#envelope) <= SAME_WITHIN_BYTES
    if (this.#looks > 0 && !isSame) this.#isPadded = Math.abs(length - this.#length) <= SAME_WITHIN_BYTES
    this.#nextLook =
      isSame || this.#isPadded ? Math.min(2 * this.#nextLook, FRAMES_PER_LOOK.most) : FRAMES_PER_LOOK.least
    this.#textPerFrame = this.#looks === 0 ? bytes : (3 * this.#textPerFrame + bytes) / 4
    this.#looks++
    this.#length = length
    this.#envelope = envelope
    this.#longest = envelope + Math.max(4 * LONGEST_TOKEN_BYTES, 3 * bytes, 3 * this.#textPerFrame)
    this.tokens += tokens ?? tokensIn(bytes)
  }

  /** A frame that was not looked into. */
  count(length: number): void {
    const bytes = length - this.#envelope
    // Much shorter ones are pings and comments.
    if (this.#isPadded) this.tokens += 2 * length > this.#length ? tokensIn(this.#textPerFrame) : 0
    else if (bytes > 0) this.tokens += tokensIn(bytes)
  }
}
