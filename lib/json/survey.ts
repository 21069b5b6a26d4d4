import { decodeName, JsonNames } from './names.js'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const SPACE = 0x20
/** The bit in which a bracket and a brace differ. */
const BRACE_BIT = 0x20
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

/**
 * `JSON.parse` takes about twenty times as long for a key as for a number, and ten times as long for an object or
 * array.
 */
const NUMBERS_PER_KEY = 20
const NUMBERS_PER_OBJECT = 10
/** Long numbers and escapes take longer too: four bytes or four escapes about as long as a short number. */
const BYTES_PER_NUMBER = 4

/** Calling a native search costs as much as looping over this many bytes, and escaped quotes would need a call each. */
const LOOP_BEFORE_SEARCH = 64

/**
 * Names that matter are short; a longer one cannot be one of them. V8 computes the hash of texts of more than 16,383
 * characters from their length alone, so that each of many such names would be compared with all others.
 */
export const MAX_NAME_BYTES = 4 * 1024

/** The position of a field's value in the bytes of a JSON object. */
export interface Span {
  readonly start: number
  readonly end: number
  /** The object has an earlier field of the same name; readers disagree about which one counts. */
  readonly isRepeated: boolean
}

/** Limits for a JSON text. A survey stops as soon as one is exceeded. */
export interface Bounds {
  /** Nesting of objects and arrays. */
  readonly depth: number
  /** Number of fields of the top-level object. */
  readonly fields: number
  /** Bytes of a name in the top-level object. */
  readonly name: number
  /** Cost of parsing: see {@link JsonSurvey.work}. */
  readonly work: number
}

const UNBOUNDED: Bounds = { depth: Infinity, fields: Infinity, name: Infinity, work: Infinity }

/** What the next byte belongs to. If the text is not an object, its value is the whole text. */
type Place = 'start' | 'field' | 'key' | 'colon' | 'value start' | 'value' | 'end' | 'no object'

/**
 * Scans a JSON text once, in steps, without building values. It finds the wanted top-level fields, how deep the text is
 * nested, how many fields it has, and what parsing it would cost. Values are not validated.
 *
 * `JSON.parse` of 32 MiB that a client crafted for the purpose holds the event loop for seconds.
 */
export class JsonSurvey {
  /** Values of the wanted fields found so far, by name; of a repeated name, the last one. */
  readonly spans = new Map<string, Span>()
  /** The deepest nesting so far. */
  depth = 0
  /** Fields of the top-level object so far, wanted or not. */
  fields = 0
  /** Bytes of the longest name of the top-level object so far, as it is spelled. */
  longestName = 0

  readonly #bytes: Buffer
  readonly #names: JsonNames | undefined
  readonly #bounds: Bounds
  #at = 0
  #place: Place = 'start'
  #isObject = false
  #open = 0
  #inString = false
  /** Start of the current key or value. */
  #start = 0
  /** The wanted field whose value comes next. */
  #name: string | undefined
  /** The next backslash, if it has been searched for: at or after `#at`, otherwise already passed. */
  #backslash = -1
  /** The next quote, likewise. */
  #quote = -1
  #numbers = 0
  /** Escapes, and bytes of numbers and literals. */
  #smallBytes = 0

  /**
   * @param names the wanted fields; `undefined` for all
   * @param bounds the limits at which it stops as if the text had ended. Default: none
   */
  constructor(bytes: Buffer, names?: readonly string[], bounds: Partial<Bounds> = {}) {
    this.#bytes = bytes
    this.#names = names && new JsonNames(names)
    this.#bounds = { ...UNBOUNDED, ...bounds }
    if (BYTE_ORDER_MARK.every((byte, at) => bytes[at] === byte)) this.#at = BYTE_ORDER_MARK.length
  }

  /** Whether the text is a complete JSON object. What follows the object has not been scanned. */
  get isComplete(): boolean {
    return this.#place === 'end'
  }

  /** Whether the text cannot be JSON. `false` does not mean that it is valid. */
  get isInvalid(): boolean {
    return this.#place === 'no object'
  }

  /** Cost for `JSON.parse`, in short numbers: a key costs twenty, an object or array ten. */
  get work(): number {
    return this.#numbers + Math.floor(this.#smallBytes / BYTES_PER_NUMBER)
  }

  /** The first bound that is exceeded. */
  get exceeded(): keyof Bounds | undefined {
    if (this.depth > this.#bounds.depth) return 'depth'
    if (this.fields > this.#bounds.fields) return 'fields'
    if (this.longestName > this.#bounds.name) return 'name'
    return this.work > this.#bounds.work ? 'work' : undefined
  }

  /**
   * Scans the next bytes.
   *
   * @param bytes approximate number; long strings are searched natively and not counted
   * @returns whether the survey is over: all bytes have been scanned, or a bound is exceeded
   */
  advance(bytes = Infinity): boolean {
    const stop = Math.min(this.#at + bytes, this.#bytes.length)
    while (this.#at < stop) {
      this.#step(stop)
      if (this.#place === 'end' || this.#place === 'no object' || this.exceeded) return true
    }
    return this.#at >= this.#bytes.length
  }

  #step(stop: number): void {
    if (this.#place === 'value') return this.#skipValue(stop)
    if (this.#place === 'key') return this.#skipKey(stop)
    const byte = this.#bytes[this.#at]!
    if (byte <= SPACE) this.#at++
    else this.#readStructural(byte)
  }

  /** Handles a byte between keys and values that is not white space. */
  #readStructural(byte: number): void {
    const place = this.#place
    if (place === 'value start' || (place === 'start' && byte !== OPEN_BRACE)) {
      this.#place = 'value'
      this.#start = this.#at
      return
    }
    this.#at++
    if (place === 'start') {
      this.#place = 'field'
      this.#isObject = true
      this.#numbers += NUMBERS_PER_OBJECT
      this.depth = this.#open = 1
    } else if (place === 'colon' && byte === COLON) {
      this.#place = 'value start'
    } else if (place === 'field' && byte === CLOSE_BRACE) {
      this.#place = 'end'
    } else if (place === 'field' && byte === QUOTE) {
      this.#place = 'key'
      this.#start = this.#at
      this.fields++
      this.#numbers += NUMBERS_PER_KEY
      this.#inString = true
    } else {
      this.#place = 'no object'
    }
  }

  #skipKey(stop: number): void {
    this.#skipString(stop)
    if (this.#inString) return
    const end = this.#at - 1
    this.longestName = Math.max(this.longestName, end - this.#start)
    this.#name = this.#nameAt(this.#start, end)
    this.#place = 'colon'
  }

  #nameAt(start: number, end: number): string | undefined {
    if (this.#names) return this.#names.match(this.#bytes, start, end)
    return end - start <= MAX_NAME_BYTES ? decodeName(this.#bytes, start, end) : undefined
  }

  /** Skips a value, up to the comma or brace that ends it, or the whole text if it is not an object. */
  #skipValue(stop: number): void {
    const bytes = this.#bytes
    if (this.#inString) this.#skipString(stop)
    let at = this.#at
    let open = this.#open
    let depth = this.depth
    let numbers = 0
    let small = 0
    while (at < stop) {
      const byte = bytes[at]!
      if (byte === QUOTE) {
        this.#at = at + 1
        this.#inString = true
        this.#skipString(stop)
        at = this.#at
        continue
      }
      if (byte === COMMA) {
        numbers++
        if (open === 1 && this.#isObject) {
          this.#endValue(at++, 'field')
          break
        }
      } else if (byte === COLON) {
        numbers += NUMBERS_PER_KEY
      } else if ((byte | BRACE_BIT) === OPEN_BRACE) {
        numbers += NUMBERS_PER_OBJECT
        if (++open > depth) depth = open
      } else if ((byte | BRACE_BIT) === CLOSE_BRACE) {
        if (open === 1 && this.#isObject && byte === CLOSE_BRACE) {
          this.#endValue(at++, 'end')
          break
        }
        open--
      } else if (byte > SPACE) {
        small++
      }
      at++
    }
    this.#at = at
    this.#open = open
    this.depth = depth
    this.#numbers += numbers
    this.#smallBytes += small
  }

  #endValue(at: number, place: Place): void {
    this.#place = place
    const name = this.#name
    if (name !== undefined) this.spans.set(name, { start: this.#start, end: at, isRepeated: this.spans.has(name) })
  }

  /** Skips the rest of a string: natively in plain text, with a loop if escapes are dense. */
  #skipString(stop: number): void {
    const bytes = this.#bytes
    const { length } = bytes
    let at = this.#at
    let escapes = 0
    for (;;) {
      const loopEnd = Math.min(at + LOOP_BEFORE_SEARCH, length)
      while (at < loopEnd && this.#inString) {
        const byte = bytes[at++]!
        if (byte === QUOTE) {
          this.#inString = false
        } else if (byte === BACKSLASH) {
          escapes++
          at++
        }
      }
      if (!this.#inString || at >= stop) break
      // Both positions are cached: they may be far away, and every string or escape would search for them again.
      if (this.#quote < at) this.#quote = this.#find(QUOTE, at)
      if (this.#backslash < at) this.#backslash = this.#find(BACKSLASH, at)
      at = Math.min(this.#quote, this.#backslash)
    }
    this.#at = at
    this.#smallBytes += escapes
  }

  #find(byte: number, from: number): number {
    const found = this.#bytes.indexOf(byte, from)
    return found === -1 ? this.#bytes.length : found
  }
}
