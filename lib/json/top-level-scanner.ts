import { decodeName, JsonNames } from './names.js'
import { JsonNesting } from './nesting.js'
import type { Span } from './survey.js'

const QUOTE = 0x22
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const CLOSE_BRACKET = 0x5d
const COLON = 0x3a
const COMMA = 0x2c
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

/** Wanted values are small; a larger one cannot be what the caller needs. */
const MAX_VALUE_BYTES = 64 * 1024

/** What the next byte of an object belongs to. */
type Place = 'byte order mark' | 'start' | 'field' | 'key' | 'colon' | 'value start' | 'value' | 'end' | 'no object'

/**
 * Finds fields of a JSON object that arrives in chunks, wherever these are cut. Unwanted values are neither built nor
 * validated. Of a chunk, only copies of wanted values are kept.
 */
export class TopLevelScanner {
  /** Positions of the values in all bytes so far; of a repeated name, the last one. */
  readonly spans = new Map<string, Span>()
  readonly #names: JsonNames | undefined
  readonly #values: Record<string, unknown> | undefined
  readonly #nesting = new JsonNesting()
  #place: Place = 'byte order mark'
  /** Bytes in the chunks before this one. */
  #passed = 0
  /** Start of the current key or value, and a copy of its bytes in earlier chunks, one character a byte. */
  #start = 0
  #pending = ''
  /** Name of the field whose value comes next, if it is wanted. */
  #name: string | undefined

  /**
   * @param names the wanted fields; `undefined` for all
   * @param values receives their values, parsed as they arrive, so that no work is left for the end
   */
  constructor(names: readonly string[] | undefined, values?: Record<string, unknown>) {
    this.#names = names && new JsonNames(names)
    this.#values = values
  }

  /** Whether a complete JSON object has arrived. */
  get isComplete(): boolean {
    return this.#place === 'end'
  }

  /** Scans the next bytes. They may be overwritten afterwards. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) at = this.#step(chunk, at)
    const isValueKept = this.#place === 'value' && this.#values && this.#name !== undefined
    if (isValueKept || this.#place === 'key') this.#append(chunk)
    this.#passed += chunk.length
  }

  /** @returns the index it reached */
  #step(chunk: Buffer, at: number): number {
    switch (this.#place) {
      case 'byte order mark':
        return this.#readByteOrderMark(chunk[at]!, at)
      case 'key':
        return this.#readKey(chunk, at)
      case 'value':
        return this.#readValue(chunk, at)
      case 'end':
      case 'no object':
        return chunk.length
      default: {
        const next = skipSpace(chunk, at)
        return next < chunk.length ? this.#readStructural(chunk[next]!, next) : next
      }
    }
  }

  #readByteOrderMark(byte: number, at: number): number {
    const index = this.#passed + at
    if (byte !== BYTE_ORDER_MARK[index]) {
      this.#place = index === 0 ? 'start' : 'no object'
      return at
    }
    if (index === BYTE_ORDER_MARK.length - 1) this.#place = 'start'
    return at + 1
  }

  /** Handles a byte between keys and values that is not white space. */
  #readStructural(byte: number, at: number): number {
    const place = this.#place
    if (place === 'value start') {
      this.#begin('value', at)
      return at
    }
    if (place === 'start' && byte === OPEN_BRACE) this.#place = 'field'
    else if (place === 'colon' && byte === COLON) this.#place = 'value start'
    else if (place === 'field' && byte === CLOSE_BRACE) this.#place = 'end'
    else if (place === 'field' && byte === QUOTE) {
      this.#begin('key', at)
      this.#nesting.begin(byte)
    } else this.#place = 'no object'
    return at + 1
  }

  #begin(place: Place, at: number): void {
    this.#place = place
    this.#start = this.#passed + at
    this.#pending = ''
  }

  #readKey(chunk: Buffer, from: number): number {
    const at = this.#nesting.skip(chunk, from, 0)
    if (this.#nesting.inString) return at
    this.#name = this.#keyAt(chunk, at)
    this.#place = 'colon'
    return at
  }

  #readValue(chunk: Buffer, from: number): number {
    const nesting = this.#nesting
    let at = nesting.skip(chunk, from, 0)
    while (at < chunk.length) {
      const byte = chunk[at]!
      if (byte === COMMA || byte === CLOSE_BRACE) {
        this.#endValue(chunk, at)
        this.#place = byte === COMMA ? 'field' : 'end'
        return at + 1
      }
      at++
      // A bracket that closes nothing must not make the depth negative.
      if (byte === CLOSE_BRACKET) nesting.depth--
      if (byte === CLOSE_BRACKET || nesting.begin(byte)) at = nesting.skip(chunk, at, 0)
    }
    return at
  }

  #endValue(chunk: Buffer, at: number): void {
    const name = this.#name
    if (name === undefined) return
    this.spans.set(name, { start: this.#start, end: this.#passed + at, isRepeated: this.spans.has(name) })
    if (this.#values) this.#values[name] = this.#parseValue(chunk, at)
  }

  #append(chunk: Buffer): void {
    const from = Math.max(this.#start - this.#passed, 0)
    const isTooLong = this.#passed + chunk.length - this.#start > MAX_VALUE_BYTES
    this.#pending = isTooLong ? '' : this.#pending + chunk.toString('latin1', from)
  }

  /** Decodes the key that ends here, if it is wanted. */
  #keyAt(chunk: Buffer, end: number): string | undefined {
    const from = this.#start - this.#passed
    if (end - from > MAX_VALUE_BYTES) return undefined
    const isHere = from >= 0
    const bytes = isHere ? chunk : Buffer.from(this.#pending + chunk.toString('latin1', 0, end), 'latin1')
    const [start, close] = isHere ? [from + 1, end - 1] : [1, bytes.length - 1]
    return this.#names ? this.#names.match(bytes, start, close) : decodeName(bytes, start, close)
  }

  /** Parses the value that ends here. */
  #parseValue(chunk: Buffer, end: number): unknown {
    const from = this.#start - this.#passed
    if (from >= 0 || end - from > MAX_VALUE_BYTES) return parseValue(chunk, from, end)
    const bytes = Buffer.from(this.#pending + chunk.toString('latin1', 0, end), 'latin1')
    return parseValue(bytes, 0, bytes.length)
  }
}

/** Parses the value in these bytes; `undefined` if they are too many, or not JSON. */
export function parseValue(bytes: Buffer, start: number, end: number): unknown {
  if (end - start > MAX_VALUE_BYTES) return undefined
  try {
    return JSON.parse(bytes.toString('utf8', start, end))
  } catch {
    return undefined
  }
}

/** Returns the index of the first byte from `start` on that is not white space. */
export function skipSpace(bytes: Buffer, start: number): number {
  let at = start
  while (at < bytes.length && bytes[at]! <= 0x20) at++
  return at
}
