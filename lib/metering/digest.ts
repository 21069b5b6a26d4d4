import { tryParseJson } from '../json/json.js'
import { JsonNesting } from '../json/nesting.js'

const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

/** Maximum kept of a string: `first` until the field exceeds `elements` below, `later` after that. */
const MAX_STRING_BYTES = { first: 16 * 1024, later: 256 }

/** Beyond these sizes of a top-level field, arrays get no more elements and objects no more fields. */
const MAX_FIELD_BYTES = { elements: 64 * 1024, fields: 256 * 1024 }

/** The same limits for an event of a stream, of which there may be many. */
const MAX_EVENT_BYTES = { elements: 16 * 1024, fields: 32 * 1024 }

const MAX_DEPTH = 64

interface Container {
  readonly isArray: boolean
  /** Number of elements or fields kept so far. */
  kept: number
}

interface OpenString {
  /** The kept part as it was sent, one character a byte. */
  raw: string
  isCut: boolean
}

/**
 * Makes a small copy of a large JSON object that arrives in chunks: some of its top-level fields, with long strings cut
 * and long arrays ended early. A picture of megabytes costs next to nothing, and the fields after it are still read.
 */
export class JsonDigest {
  readonly #names: readonly string[] | undefined
  readonly #limits: { readonly elements: number; readonly fields: number }
  readonly #nesting = new JsonNesting()
  /** The copy, one character a byte, and where the current top-level value begins in it. */
  #text = ''
  #value: unknown
  #start = 0
  readonly #open: Container[] = []
  #place: 'start' | 'within' | 'end' | 'other value' | 'no JSON' = 'start'
  #isKeyNext = false
  #string: OpenString | undefined
  #inScalar = false
  /** The current value is not wanted. */
  #isIgnored = false
  /** The part being skipped, up to where `depth` brackets are open, and what replaces it in the copy. */
  #skipping: { readonly depth: number; readonly closing: string } | undefined

  /** @param names the top-level fields to keep; `undefined` for all, as in an event */
  constructor(names: readonly string[] | undefined) {
    this.#names = names
    this.#limits = names === undefined ? MAX_EVENT_BYTES : MAX_FIELD_BYTES
  }

  /** The copy, once the object is complete. It is parsed on first access. */
  get value(): unknown {
    if (this.#place === 'end' && this.#text !== '') {
      this.#value = tryParseJson(decodeUtf8(this.#text))
      this.#text = ''
    }
    return this.#value
  }

  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && (this.#place === 'start' || this.#place === 'within')) at = this.#step(chunk, at)
    // A value that is not an object is only tracked to its end.
    if (this.#place === 'other value') this.#nesting.skipAll(at === 0 ? chunk : chunk.subarray(Math.max(0, at - 1)))
  }

  /** Whether the bytes so far begin a JSON text but do not complete it. */
  get isUnfinished(): boolean {
    return this.#place === 'other value' ? this.#nesting.isOpen : this.#place === 'start' || this.#place === 'within'
  }

  /** @returns the index it reached */
  #step(chunk: Buffer, at: number): number {
    if (this.#place === 'start') return this.#readStart(chunk[at]!, at)
    if (this.#string) return this.#readString(this.#string, chunk, at)
    if (this.#skipping) return this.#skip(this.#skipping, chunk, at)
    return this.#readByte(chunk[at]!, at)
  }

  #readStart(byte: number, at: number): number {
    if (byte === OPEN_BRACE) {
      this.#place = 'within'
      this.#begin(byte)
    } else if (byte > SPACE && !BYTE_ORDER_MARK.includes(byte)) {
      this.#place = byte === OPEN_BRACKET || byte === QUOTE ? 'other value' : 'no JSON'
    }
    return at + 1
  }

  #readByte(byte: number, at: number): number {
    if (byte <= SPACE || byte === COLON) {
      if (byte === COLON) this.#isKeyNext = false
    } else if (byte === COMMA) {
      this.#inScalar = this.#isIgnored = false
      this.#isKeyNext = !this.#top.isArray
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      this.#end(byte)
    } else if (this.#isIgnored) {
      const { depth } = this.#nesting
      if (this.#nesting.begin(byte)) this.#skipping = { depth, closing: '' }
    } else if (!this.#admitValue()) {
      return at
    } else if (byte === QUOTE) {
      this.#nesting.begin(byte)
      this.#string = { raw: '', isCut: false }
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      this.#begin(byte)
    } else {
      this.#inScalar = true
      this.#text += String.fromCharCode(byte)
    }
    return at + 1
  }

  get #top(): Container {
    return this.#open.at(-1)!
  }

  /** Length of the copy of the current top-level value. */
  get #kept(): number {
    return this.#text.length - this.#start
  }

  /** Returns whether a value may begin or continue here; otherwise the rest of its array is skipped. */
  #admitValue(): boolean {
    const container = this.#top
    if (!container.isArray || this.#inScalar) return true
    if (this.#kept > this.#limits.elements) return this.#skipRest(']')
    if (container.kept++ > 0) this.#text += ','
    return true
  }

  #skipRest(closing: string): false {
    this.#skipping = { depth: this.#nesting.depth - 1, closing }
    return false
  }

  #begin(byte: number): void {
    const { depth } = this.#nesting
    this.#nesting.begin(byte)
    if (depth >= MAX_DEPTH) {
      this.#text += 'null'
      this.#skipping = { depth, closing: '' }
      return
    }
    this.#text += String.fromCharCode(byte)
    this.#open.push({ isArray: byte === OPEN_BRACKET, kept: 0 })
    this.#isKeyNext = byte === OPEN_BRACE
  }

  #end(byte: number): void {
    this.#nesting.depth--
    this.#close(String.fromCharCode(byte))
  }

  #close(closing: string): void {
    this.#text += closing
    this.#inScalar = this.#isIgnored = false
    this.#open.pop()
    if (this.#open.length > 0) return
    this.#place = 'end'
  }

  #skip({ depth, closing }: { depth: number; closing: string }, chunk: Buffer, from: number): number {
    const at = this.#nesting.skip(chunk, from, depth)
    if (this.#nesting.inString || this.#nesting.depth !== depth) return at
    this.#skipping = undefined
    if (closing !== '') this.#close(closing)
    return at
  }

  #readString(string: OpenString, chunk: Buffer, from: number): number {
    const at = this.#nesting.skip(chunk, from, this.#nesting.depth)
    const end = this.#nesting.inString ? at : at - 1
    const most = this.#kept > this.#limits.elements ? MAX_STRING_BYTES.later : MAX_STRING_BYTES.first
    const room = Math.max(0, most - string.raw.length)
    if (end - from > room) string.isCut = true
    string.raw += chunk.toString('latin1', from, Math.min(end, from + room))
    if (this.#nesting.inString) return at
    this.#string = undefined
    const raw = string.isCut ? trimPartialEscape(string.raw) : string.raw
    if (this.#isKeyNext) this.#readKey(raw)
    else this.#text += `"${raw}"`
    return at
  }

  #readKey(raw: string): void {
    const isTop = this.#open.length === 1
    if (isTop && !this.#isWanted(raw)) {
      this.#isIgnored = true
      return
    }
    if (!isTop && this.#kept > this.#limits.fields) {
      this.#skipRest('}')
      return
    }
    this.#text += `${this.#top.kept++ > 0 ? ',' : ''}"${raw}":`
    if (isTop) this.#start = this.#text.length
  }

  #isWanted(raw: string): boolean {
    const names = this.#names
    if (names === undefined) return this.#text.length <= this.#limits.fields
    return names.includes(raw.includes('\\') ? String(tryParseJson(decodeUtf8(`"${raw}"`))) : raw)
  }
}

/** Decodes UTF-8 bytes that are kept as one character each. */
function decodeUtf8(characters: string): string {
  return Buffer.from(characters, 'latin1').toString()
}

const MAX_ESCAPE_CHARS = '\\u0000'.length

/** Removes the escape that a string was cut in. */
function trimPartialEscape(raw: string): string {
  for (let less = 0; less < MAX_ESCAPE_CHARS; less++) {
    const shorter = raw.slice(0, raw.length - less)
    if (tryParseJson(`"${shorter}"`) !== undefined) return shorter
  }
  return ''
}
