import { JsonNesting } from '../json/nesting.js'
import { isJsonSpace, skipJsonSpace } from '../json/whitespace.js'
import { BaseFramer } from './base-framer.js'
import type { Framing } from './framing.js'

const QUOTE = 34
const COMMA = 44
const OPEN_BRACKET = 91
const CLOSE_BRACKET = 93
const OPEN_BRACE = 123
// The bit in which a bracket and a brace differ.
const BRACE_BIT = 32

/**
 * Splits a JSON array that arrives element by element after each element: some providers stream messages so.
 *
 * A frame ends with its element; the `[` or comma before the element belongs to it. The end of the array is a frame
 * without an event. A value outside an array (an error object) is a frame of its own. The framer tracks brackets and
 * strings but validates nothing: the client's parser does that.
 */
export class JsonArrayFramer extends BaseFramer {
  readonly carriesMessages = false
  readonly heartbeat = undefined
  isClosed = false

  readonly #nesting = new JsonNesting()
  /** Number of brackets open between elements: 1 in an array, otherwise 0. */
  #floor: 0 | 1 = 0
  /** Within a number, `true`, `false` or `null`, which only the byte after it ends. */
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

  /**
   * Handles a byte between elements: the start of an element or array, its end, or neither. @returns whether the array
   * ends
   */
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

/**
 * An array of messages. The caller has to choose it, because its media type, `application/json`, does not identify it.
 */
export const jsonArray: Framing = {
  name: 'json-array',
  contentType: 'application/json; charset=utf-8',
  // Nothing may follow the end of an array, and clients do not look for errors among its elements.
  carriesErrors: false,
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

/** Returns where the element begins, after the `[` or comma before it. */
function elementStart(frame: Buffer): number {
  const from = skipJsonSpace(frame, 0)
  const isPrefixed = frame[from] === OPEN_BRACKET || frame[from] === COMMA
  return isPrefixed ? skipJsonSpace(frame, from + 1) : from
}
