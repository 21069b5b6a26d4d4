import { JsonNesting } from '../json/nesting.js'
import { isJsonSpace, skipJsonSpace } from '../json/whitespace.js'
import { BaseFramer } from './base-framer.js'
import type { Framing } from './framing.js'

const QUOTE = 34
const COMMA = 44
const OPEN_BRACKET = 91
const CLOSE_BRACKET = 93
const OPEN_BRACE = 123
// What a bracket and a brace differ in.
const BRACE_BIT = 32

/**
 * Cuts a JSON array that arrives element by element behind its elements, as Gemini's `streamGenerateContent` sends one
 * without `alt=sse` (https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent).
 *
 * A frame ends with its element; the `[` or comma before it belongs to it. What closes the array is a frame without an
 * event. A value outside of an array (an error object) is a frame of its own. Brackets and strings are followed, nothing
 * is validated: that is for the client's parser.
 */
export class JsonArrayFramer extends BaseFramer {
  readonly carriesMessages = false
  readonly heartbeat = undefined
  isClosed = false

  readonly #nesting = new JsonNesting()
  /** So many brackets are open between elements: in the array its own, else none. */
  #floor: 0 | 1 = 0
  /** In a number, `true`, `false` or `null`, whose end is seen by what follows it. */
  #inLiteral = false

  protected scan(chunk: Buffer, from: number): void {
    const nesting = this.#nesting
    let at = from
    while (at < chunk.length) {
      let isEnd = false
      let isElement = true
      if (nesting.inString || nesting.depth > this.#floor) {
        at = nesting.skip(chunk, at, this.#floor)
        isEnd = !nesting.inString && nesting.depth === this.#floor
      } else if (this.#inLiteral) {
        isEnd = endsLiteral(chunk[at]!)
        if (isEnd) this.#inLiteral = false
        else at++
      } else {
        isEnd = this.#readStructural(chunk[at]!)
        isElement = false
        at++
      }
      if (isEnd && !this.endFrame(at, isElement)) return
    }
  }

  protected finish(): void {
    const isInArray = this.#floor === 1
    if (isInArray || this.#nesting.inString || this.#nesting.depth > 0) {
      this.corrupt = `it ended in the middle of a JSON ${isInArray ? 'array' : 'value'}`
    } else if (this.pending.bytes > 0) {
      this.emitRest('', this.#inLiteral)
    }
  }

  /** A byte between elements: an element begins, or the array does, or it ends, or nothing. @returns whether it ends */
  #readStructural(byte: number): boolean {
    if (byte === OPEN_BRACKET && this.#floor === 0) {
      this.isClosed = false
      this.#nesting.depth = this.#floor = 1
    } else if (byte === CLOSE_BRACKET) {
      this.isClosed = this.#floor === 1
      this.#nesting.depth = this.#floor = 0
      return true
    } else if (!this.#nesting.begin(byte)) {
      this.#inLiteral = !isJsonSpace(byte) && byte !== COMMA
    }
    return false
  }
}

function endsLiteral(byte: number): boolean {
  return (
    byte === COMMA || byte === CLOSE_BRACKET || byte === QUOTE || (byte | BRACE_BIT) === OPEN_BRACE || isJsonSpace(byte)
  )
}

const OPENING = Buffer.from('[')

/** An array of messages, for the caller to choose: its media type, `application/json`, does not tell it. */
export const jsonArray: Framing = {
  name: 'json-array',
  createFramer: (maxEventBytes) => new JsonArrayFramer(maxEventBytes),
  read(frame) {
    const from = elementStart(frame)
    const isNothing = from === frame.length || frame[from] === CLOSE_BRACKET
    return isNothing ? undefined : { data: frame.toString('utf8', from) }
  },
  write({ data }, replaced) {
    const before = replaced?.toString('utf8', 0, elementStart(replaced))
    return Buffer.from(`${before ?? ',\r\n'}${data}`)
  },
  dataStart: elementStart,
  asFirst: (frame) => Buffer.concat([OPENING, frame.subarray(elementStart(frame))]),
}

/** Where the element begins, behind the `[` or the comma before it. */
function elementStart(frame: Buffer): number {
  const from = skipJsonSpace(frame, 0)
  const isPrefixed = frame[from] === OPEN_BRACKET || frame[from] === COMMA
  return isPrefixed ? skipJsonSpace(frame, from + 1) : from
}
