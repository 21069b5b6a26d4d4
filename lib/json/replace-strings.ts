import { tryParseJson } from './json.js'
import { JsonNames } from './names.js'
import { JsonNesting } from './nesting.js'

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const SPACE = 0x20
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

/** A longer string is not held back until its end is known, and stays as it is. */
const MAX_STRING_BYTES = 16 * 1024
/** A longer name of a field cannot be one of the wanted names. */
const MAX_NAME_BYTES = 4 * 1024

/** In a path: every item of a list. No field has this name. */
export const EACH = '[]'

/** What is wanted below a place in the text. */
export interface WantedStrings {
  /** The string at this place is wanted. */
  readonly isWanted: boolean
  readonly names: JsonNames
  readonly fields: ReadonlyMap<string, WantedStrings>
  readonly items: WantedStrings | undefined
}

/** Compiles the paths of strings, for many texts: names of fields, and {@link EACH}. */
export function wantedStrings(paths: readonly (readonly string[])[]): WantedStrings {
  const firsts = [...new Set(paths.flatMap(([first]) => first ?? []))]
  const below = (first: string) => wantedStrings(paths.filter((path) => path[0] === first).map((path) => path.slice(1)))
  const names = firsts.filter((first) => first !== EACH)
  return {
    isWanted: paths.some((path) => path.length === 0),
    names: new JsonNames(names),
    fields: new Map(names.map((name) => [name, below(name)])),
    items: firsts.includes(EACH) ? below(EACH) : undefined,
  }
}

/** What the next byte belongs to; `skipped` is a string, object or list in which nothing is wanted. */
type Place = 'start' | 'key' | 'within key' | 'colon' | 'value' | 'string' | 'skipped' | 'literal' | 'after' | 'end'

/**
 * Replaces strings in a JSON text that arrives in chunks, wherever these are cut. All other bytes stay as they are, and
 * only a wanted string that is not complete is held back. If a field occurs twice, both are replaced. Values are not
 * validated; a text that turns out to be no JSON passes from there on.
 */
export class StringReplacer {
  /** The text is not JSON, so that not all wanted strings may have been found. */
  isInvalid = false
  readonly #replace: (value: string) => string | undefined
  readonly #nesting = new JsonNesting()
  readonly #open: { readonly wanted: WantedStrings; readonly isList: boolean }[] = []
  #place: Place = 'start'
  /** What is wanted of the value that comes next. */
  #wanted: WantedStrings | undefined
  /** The beginning of the current key or wanted string, in earlier chunks. */
  #pending: Buffer[] = []
  #pendingBytes = 0
  /** Start of the current key or wanted string in this chunk. */
  #start = 0
  /** The bytes to send, and how much of this chunk is among them. */
  #out: Buffer[] = []
  #sent = 0

  /** @param replace returns the replacement of a wanted string; `undefined` leaves the string as it is */
  constructor(wanted: WantedStrings, replace: (value: string) => string | undefined) {
    this.#wanted = wanted
    this.#replace = replace
  }

  /** Whether bytes are held back. */
  get holdsNothing(): boolean {
    return this.#place !== 'string' || this.#pendingBytes === 0
  }

  /** @returns the bytes that replace the chunk's; they may share its memory */
  push(chunk: Buffer): Buffer[] {
    this.#out = []
    this.#sent = 0
    this.#start = 0
    let at = 0
    while (at < chunk.length && this.#place !== 'end') at = this.#step(chunk, at)
    if (this.#place === 'string') this.#holdString(chunk)
    else if (this.#place === 'within key') this.#holdKey(chunk)
    this.#send(chunk, chunk.length)
    return this.#out
  }

  /** Ends the text. @returns what was held back of a string without an end */
  end(): Buffer[] {
    const rest = this.#place === 'string' ? this.#pending : []
    this.#pending = []
    this.#pendingBytes = 0
    this.#place = 'end'
    return rest
  }

  /** @returns the index it reached */
  #step(chunk: Buffer, at: number): number {
    switch (this.#place) {
      case 'skipped':
        return this.#skip(chunk, at)
      case 'string':
        return this.#readString(chunk, at)
      case 'within key':
        return this.#readKey(chunk, at)
      case 'literal':
        return this.#skipLiteral(chunk, at)
      default: {
        const byte = chunk[at]!
        return byte <= SPACE ? at + 1 : this.#readStructural(chunk, byte, at)
      }
    }
  }

  #readStructural(chunk: Buffer, byte: number, at: number): number {
    const place = this.#place
    if (place === 'start' && BYTE_ORDER_MARK.includes(byte)) return at + 1
    const isList = this.#open.at(-1)?.isList === true
    const isClosing = byte === (isList ? CLOSE_BRACKET : CLOSE_BRACE)
    if (place === 'start') {
      return byte === OPEN_BRACE || byte === OPEN_BRACKET ? this.#readValue(chunk, byte, at) : this.#giveUp(at)
    }
    if (place === 'value' && !(isList && isClosing)) return this.#readValue(chunk, byte, at)
    if ((place === 'after' || place === 'key' || isList) && isClosing) {
      this.#open.pop()
      this.#place = this.#open.length === 0 ? 'end' : 'after'
    } else if (place === 'after' && byte === COMMA) {
      this.#expectMember()
    } else if (place === 'key' && byte === QUOTE) {
      this.#place = 'within key'
      this.#start = at
      this.#nesting.begin(byte)
    } else if (place === 'colon' && byte === COLON) {
      this.#place = 'value'
    } else {
      return this.#giveUp(at)
    }
    return at + 1
  }

  #giveUp(at: number): number {
    this.isInvalid = true
    this.#place = 'end'
    return at
  }

  #readValue(chunk: Buffer, byte: number, at: number): number {
    const wanted = this.#wanted
    if (byte === QUOTE) {
      this.#nesting.begin(byte)
      this.#place = wanted?.isWanted ? 'string' : 'skipped'
      this.#start = at
      return at + 1
    }
    const isList = byte === OPEN_BRACKET
    if (isList || byte === OPEN_BRACE) {
      if (wanted && (isList ? wanted.items !== undefined : wanted.fields.size > 0)) {
        this.#open.push({ wanted, isList })
        this.#expectMember()
      } else {
        this.#nesting.begin(byte)
        this.#place = 'skipped'
      }
      return at + 1
    }
    this.#place = 'literal'
    return this.#skipLiteral(chunk, at)
  }

  #expectMember(): void {
    const { wanted, isList } = this.#open.at(-1)!
    this.#place = isList ? 'value' : 'key'
    this.#wanted = isList ? wanted.items : undefined
  }

  #skip(chunk: Buffer, from: number): number {
    const at = this.#nesting.skip(chunk, from, 0)
    const isOver = !this.#nesting.inString && this.#nesting.depth === 0
    if (isOver) this.#place = this.#open.length === 0 ? 'end' : 'after'
    return at
  }

  #skipLiteral(chunk: Buffer, from: number): number {
    let at = from
    while (at < chunk.length) {
      const byte = chunk[at]!
      if (byte <= SPACE || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        this.#place = 'after'
        break
      }
      at++
    }
    return at
  }

  #readKey(chunk: Buffer, from: number): number {
    const at = this.#nesting.skip(chunk, from, 0)
    if (this.#nesting.inString) return at
    const key = this.#takePending(chunk, at)
    const { wanted } = this.#open.at(-1)!
    const name = key && wanted.names.match(key, 1, key.length - 1)
    this.#wanted = name === undefined ? undefined : wanted.fields.get(name)
    this.#place = 'colon'
    return at
  }

  #holdKey(chunk: Buffer): void {
    this.#pendingBytes += chunk.length - this.#start
    if (this.#pendingBytes <= MAX_NAME_BYTES) this.#pending.push(Buffer.from(chunk.subarray(this.#start)))
  }

  #readString(chunk: Buffer, from: number): number {
    const at = this.#nesting.skip(chunk, from, 0)
    if (this.#nesting.inString) return at
    this.#place = 'after'
    const held = this.#pending
    const text = this.#takePending(chunk, at)
    const replacement = text && this.#replacementOf(text)
    if (replacement === undefined) {
      this.#out.push(...held)
      return at
    }
    this.#send(chunk, this.#start)
    this.#out.push(Buffer.from(JSON.stringify(replacement)))
    this.#sent = at
    return at
  }

  #holdString(chunk: Buffer): void {
    this.#send(chunk, this.#start)
    this.#pendingBytes += chunk.length - this.#start
    this.#pending.push(Buffer.from(chunk.subarray(this.#start)))
    this.#sent = chunk.length
    if (this.#pendingBytes <= MAX_STRING_BYTES) return
    this.#out.push(...this.#pending)
    this.#pending = []
    this.#pendingBytes = 0
    this.#place = 'skipped'
  }

  /** Returns the key or string that ends at `end`; `undefined` if it is too long. */
  #takePending(chunk: Buffer, end: number): Buffer | undefined {
    const here = chunk.subarray(this.#start, end)
    const bytes = this.#pendingBytes + here.length
    const most = this.#place === 'within key' ? MAX_NAME_BYTES : MAX_STRING_BYTES
    const whole = bytes > most ? undefined : this.#pendingBytes === 0 ? here : Buffer.concat([...this.#pending, here])
    this.#pending = []
    this.#pendingBytes = 0
    return whole
  }

  #replacementOf(text: Buffer): string | undefined {
    const value = tryParseJson(text.toString())
    return typeof value === 'string' ? this.#replace(value) : undefined
  }

  #send(chunk: Buffer, end: number): void {
    if (end > this.#sent)
      this.#out.push(this.#sent === 0 && end === chunk.length ? chunk : chunk.subarray(this.#sent, end))
    this.#sent = Math.max(this.#sent, end)
  }
}
