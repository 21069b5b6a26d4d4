import type { IncrementalTask } from '../util/incremental-task.js'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const LOWER_U = 0x75
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const SPACE = 0x20
/** The bit in which a bracket and a brace differ. */
const BRACE_BIT = 0x20
const UTF8_TAIL_MASK = 0xc0
const UTF8_TAIL = 0x80

/** `JSON.parse` takes a millisecond or less for this many bytes, and some six for the most expensive ones. */
const PIECE_BYTES = 64 * 1024
/** A longer run of bytes with neither strings nor structure (a number, or white space) cannot be parsed in pieces. */
const MAX_RUN_BYTES = 1024 * 1024

/** An object or array that has begun and not ended. */
interface Level {
  readonly isArray: boolean
  /** Position of its bracket. */
  readonly start: number
  /** The value being built, once it is known to be long; a short one is parsed together with its neighbours. */
  target: unknown[] | Record<string, unknown> | undefined
  /** Start of the children that are not parsed yet. */
  from: number
  /** The last comma between them, or -1. */
  comma: number
  /** The child before `from` was parsed by itself, so a comma or the end has to follow. */
  isAfterChild: boolean
}

/** Thrown if a JSON text cannot be parsed incrementally. The message gives the reason, and quotes nothing. */
export class IncrementalParseError extends Error {}

/**
 * Parses JSON like `JSON.parse`, in pieces that take about a millisecond each. Parsing 32 MiB at once would hold the
 * event loop for a quarter of a second, and so would decoding them as text.
 *
 * @param bytes JSON text in UTF-8, with or without a byte order mark
 * @returns what `JSON.parse` returns
 * @throws SyntaxError, IncrementalParseError
 */
export function* parseIncrementally(bytes: Buffer): IncrementalTask<unknown> {
  return yield* new IncrementalParser(bytes).parse()
}

class IncrementalParser {
  readonly #bytes: Buffer
  /** The text is a child of this array, so that it is handled like any other value. */
  readonly #root: unknown[] = []
  readonly #levels: Level[]
  /** How many levels have a target: always the outermost ones. */
  #openCount = 1
  #at: number

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
    this.#levels = [{ ...levelAt(this.#at - 1, true), target: this.#root }]
  }

  *parse(): IncrementalTask<unknown> {
    const { length } = this.#bytes
    let pausedAt = this.#at
    while (this.#at < length) {
      yield* this.#readToken()
      if (this.#at - this.#innermost.from > PIECE_BYTES) this.#open()
      if (this.#at - pausedAt < PIECE_BYTES) continue
      yield
      pausedAt = this.#at
    }
    if (this.#levels.length > 1) throw new SyntaxError('Unexpected end')
    this.#close(this.#levels[0]!, length)
    return this.#root[0]
  }

  /** The innermost level that has a target. */
  get #innermost(): Level {
    return this.#levels[this.#openCount - 1]!
  }

  *#readToken(): IncrementalTask<void> {
    const at = this.#at++
    const byte = this.#bytes[at]!
    if (byte === QUOTE) return yield* this.#readString(at)
    const level = this.#levels.at(-1)!
    if (byte === COMMA) {
      if (this.#levels.length === 1) throw new SyntaxError('Unexpected comma')
      level.comma = at
      if (level.target && (level.isAfterChild || at - level.from > PIECE_BYTES)) this.#parseUpTo(level, at)
    } else if ((byte | BRACE_BIT) === OPEN_BRACE) {
      this.#levels.push(levelAt(at, byte === OPEN_BRACKET))
    } else if ((byte | BRACE_BIT) === CLOSE_BRACE) {
      this.#end(level, byte === CLOSE_BRACE)
    }
  }

  #end(level: Level, isBrace: boolean): void {
    if (this.#levels.length === 1) throw new SyntaxError('Unexpected bracket')
    this.#levels.pop()
    // `JSON.parse` validates values that are parsed together with their neighbours.
    if (!level.target) return
    if (level.isArray === isBrace) throw new SyntaxError('Unexpected bracket')
    this.#close(level, this.#at - 1)
    this.#openCount--
    this.#innermost.from = this.#at
    this.#innermost.isAfterChild = true
  }

  /** Builds an object for each level that grows long, so that its children can be parsed before it ends. */
  #open(): void {
    while (this.#openCount < this.#levels.length && this.#at - this.#innermost.from > PIECE_BYTES) {
      const child = this.#levels[this.#openCount]!
      child.target = child.isArray ? [] : {}
      this.#put(child.start, child.target)
      this.#openCount++
    }
    if (this.#at - this.#innermost.from > MAX_RUN_BYTES) throw new IncrementalParseError('has a value that is too long')
  }

  /** Adds a child that begins at `start` to the innermost level, after the pending children in front of it. */
  #put(start: number, value: unknown): void {
    const level = this.#innermost
    if (level.comma !== -1) this.#parseUpTo(level, level.comma)
    const before = this.#text(level.from, start)
    if (level.isAfterChild || (level.isArray && before.trim() !== '')) throw new SyntaxError('Unexpected value')
    const target = level.target!
    if (Array.isArray(target)) target.push(value)
    else for (const key of Object.keys(JSON.parse(`{${before}[]}`))) set(target, key, value)
  }

  /** Parses the children of a level up to a comma. */
  #parseUpTo(level: Level, comma: number): void {
    this.#parseChildren(level, comma)
    level.from = comma + 1
    level.comma = -1
    level.isAfterChild = false
  }

  /** Parses the last children of a level, which ends at `end`. */
  #close(level: Level, end: number): void {
    const isEmpty = level.from === level.start + 1 && level.start >= 0 && isBlank(this.#bytes, level.from, end)
    if (!isEmpty) this.#parseChildren(level, end)
  }

  #parseChildren({ target, from, isAfterChild: isBehindChild }: Level, end: number): void {
    if (isBehindChild || isBlank(this.#bytes, from, end)) {
      if (isBehindChild && isBlank(this.#bytes, from, end)) return
      throw new SyntaxError('Unexpected token')
    }
    const text = this.#text(from, end)
    if (Array.isArray(target)) {
      for (const child of JSON.parse(`[${text}]`)) target.push(child)
    } else {
      const children = JSON.parse(`{${text}}`)
      for (const key of Object.keys(children)) set(target!, key, children[key])
    }
  }

  /** Skips a string. A long one becomes a child of its own, parsed in pieces. */
  *#readString(start: number): IncrementalTask<void> {
    let pieceAt = start + 1
    let text: string | undefined
    while (!this.#findEndOfString(pieceAt + PIECE_BYTES)) {
      if (this.#at >= this.#bytes.length) throw new SyntaxError('Unexpected end')
      if (text === undefined) this.#openAllBefore(start)
      const cut = this.#cutBefore(this.#at)
      text = (text ?? '') + this.#parsedString(pieceAt, cut)
      pieceAt = cut
      yield
    }
    if (text === undefined) return
    this.#put(start, text + this.#parsedString(pieceAt, this.#at - 1))
    this.#innermost.from = this.#at
    this.#innermost.isAfterChild = true
  }

  /** Builds objects for all open levels: a long string in them cannot be parsed together with its neighbours. */
  #openAllBefore(start: number): void {
    while (this.#openCount < this.#levels.length) {
      const child = this.#levels[this.#openCount]!
      child.target = child.isArray ? [] : {}
      this.#put(child.start, child.target)
      this.#openCount++
    }
    const { isArray, from, comma } = this.#innermost
    if (!isArray && isBlank(this.#bytes, Math.max(from, comma + 1), start)) {
      throw new IncrementalParseError('has a name that is too long')
    }
  }

  /** Continues in a string, to after its end or to about `stop`, never into an escape. @returns whether it ended */
  #findEndOfString(stop: number): boolean {
    const bytes = this.#bytes
    const end = Math.min(stop, bytes.length)
    let at = this.#at
    while (at < end) {
      const byte = bytes[at]!
      if (byte === QUOTE) {
        this.#at = at + 1
        return true
      }
      if (byte === BACKSLASH) at += bytes[at + 1] === LOWER_U ? 6 : 2
      else at++
    }
    this.#at = at
    return false
  }

  /** Returns the nearest position at or before `at` that is not within a character. */
  #cutBefore(at: number): number {
    let cut = at
    while (cut > at - 3 && (this.#bytes[cut]! & UTF8_TAIL_MASK) === UTF8_TAIL) cut--
    return cut
  }

  #parsedString(start: number, end: number): string {
    return JSON.parse(`"${this.#text(start, end)}"`)
  }

  #text(start: number, end: number): string {
    return this.#bytes.toString('utf8', start, end)
  }
}

function levelAt(start: number, isArray: boolean): Level {
  return { isArray, start, target: undefined, from: start + 1, comma: -1, isAfterChild: false }
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at]! > SPACE) return false
  return true
}

/** Sets a field as `JSON.parse` does: `__proto__` becomes a field like any other, not the object's prototype. */
function set(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
}
