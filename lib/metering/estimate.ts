import { locateText, TextLocation } from './text-location.js'
import { TokenCount } from './token-count.js'

/** Number of frame kinds with text that are remembered; beyond that, the least recently seen is dropped. */
const MAX_LOCATIONS = 8

/**
 * A frame without a quote has no text. Longer frames are not searched for one: few lack it, and parsing those costs
 * less.
 */
const MAX_QUOTE_SCAN_BYTES = 64

/** The shortest JSON that contains a text: `{"text":"x"}`. */
const MIN_JSON_BYTES = 12

const QUOTE = 0x22

/**
 * Estimates the tokens of a stream while parsing few of its frames: after one frame of a kind has been parsed, the
 * position of the text in the others is known. The estimate depends only on the frames and their order, not on how they
 * are grouped.
 */
export class RunningEstimate {
  readonly #count = new TokenCount()
  /** Tokens of texts that the app counted itself. */
  #appTokens = 0
  /** Most recently seen first. */
  #locations: TextLocation[] = []
  /** Whether the last frame that was counted has a text. */
  hasFoundText = false

  /** Tokens so far. */
  get tokens(): number {
    return this.#count.tokens + this.#appTokens
  }

  /**
   * Counts a frame's text, if it can be found without parsing.
   *
   * @returns whether it can
   */
  count(bytes: Buffer, start: number, end: number): boolean {
    const places = this.#locations
    this.hasFoundText = true
    for (let index = 0; index < places.length; index++) {
      const place = places[index]!
      const quote = place.findEnd(bytes, start, end)
      if (quote === -1) continue
      this.#count.read(bytes, place.textStart(start), quote)
      this.#moveToFront(index)
      return true
    }
    this.hasFoundText = false
    return hasNoString(bytes, start, end)
  }

  /**
   * Counts a text that was parsed.
   *
   * @param tokens of the text, if the app counts them itself
   */
  add(text: string | undefined, tokens?: number): void {
    if (!text) return
    if (tokens !== undefined) {
      this.#appTokens += tokens
      return
    }
    const json = Buffer.from(JSON.stringify(text))
    this.#count.read(json, 1, json.length)
  }

  /** Remembers where a parsed frame has its text. */
  learn(frame: Buffer, text: string): void {
    const place = locateText(frame, text)
    if (place) this.#learnLocation(frame, place.start, place.end)
  }

  #learnLocation(frame: Buffer, start: number, end: number): void {
    const known = this.#locations.findIndex((place) => place.widen(frame, start, end))
    if (known >= 0) return this.#moveToFront(known)
    this.#locations = [new TextLocation(frame, start, end), ...this.#locations.slice(0, MAX_LOCATIONS - 1)]
  }

  #moveToFront(index: number): void {
    const place = this.#locations[index]!
    for (let at = index; at > 0; at--) this.#locations[at] = this.#locations[at - 1]!
    this.#locations[0] = place
  }
}

function hasNoString(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < MIN_JSON_BYTES) return true
  if (end - start > MAX_QUOTE_SCAN_BYTES) return false
  for (let at = start; at < end; at++) if (bytes[at] === QUOTE) return false
  return true
}
