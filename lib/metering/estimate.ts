import { locateText, TextLocation } from './text-location.js'
import { TokenCount } from './token-count.js'

/** So many kinds of frames with text are known at once; of more, the one that was seen longest ago is forgotten. */
const MAX_LOCATIONS = 8

/** A frame without a quote has no text; of longer ones it costs less to parse the few. */
const MAX_QUOTE_SCAN_BYTES = 64

/** The shortest JSON with a text in it: `{"text":"x"}`. */
const MIN_JSON_BYTES = 12

const QUOTE = 0x22

/**
 * Estimates the tokens of a stream, and parses few of its frames for that: where the text of one kind of frame stands is
 * known once one of them has been parsed. The estimate follows from the frames and their order alone, however they come
 * together.
 */
export class RunningEstimate {
  readonly #count = new TokenCount()
  /** Of texts whose tokens the app told. */
  #appTokens = 0
  /** The kind that was seen last comes first. */
  readonly #locations: TextLocation[] = []

  /** Tokens so far. */
  get tokens(): number {
    return this.#count.tokens + this.#appTokens
  }

  /**
   * Counts a frame's text, if that can be found without parsing it.
   *
   * @returns whether it can
   */
  count(bytes: Buffer, start: number, end: number): boolean {
    const places = this.#locations
    for (let index = 0; index < places.length; index++) {
      const place = places[index]!
      const quote = place.findEnd(bytes, start, end)
      if (quote === -1) continue
      this.#count.read(bytes, place.textStart(start), quote)
      this.#moveToFront(index)
      return true
    }
    return hasNoString(bytes, start, end)
  }

  /**
   * Counts a text that was read.
   *
   * @param tokens of the text, if the app tells them
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

  /** Learns where a frame that was parsed has its text. */
  learn(frame: Buffer, text: string): void {
    const place = locateText(frame, text)
    if (place) this.#learnLocation(frame, place.start, place.end)
  }

  #learnLocation(frame: Buffer, start: number, end: number): void {
    const known = this.#locations.findIndex((place) => place.widen(frame, start, end))
    if (known >= 0) return this.#moveToFront(known)
    this.#locations.unshift(new TextLocation(frame, start, end))
    if (this.#locations.length > MAX_LOCATIONS) this.#locations.pop()
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
