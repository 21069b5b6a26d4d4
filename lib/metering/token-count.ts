/**
 * Counts the tokens of a text as it arrives, without a tokeniser.
 *
 * Byte-pair encoders first cut a text into words, numbers of three digits, runs of punctuation and runs of white space,
 * and never merge across these parts. The number of tokens in a part depends on its kind and length, and is one for
 * most. The figures below are averages of OpenAI's `o200k_base` (https://github.com/openai/tiktoken) over prose in ten
 * languages, source code and JSON.
 *
 * It reads the inside of a JSON string as sent in an event, escapes included, and continues where the previous string
 * ended: a word in two pieces counts as one.
 */
export class TokenCount {
  /** Tokens of the finished parts. */
  #finished = 0
  /** The current part, which the next character may continue. */
  #kind = NOTHING
  #length = 0
  /** What precedes the current word and belongs to the same part. */
  #prefix = NO_PREFIX
  #isCapital = false
  #hasLower = false
  #hasAccent = false
  /** The last character of a run of punctuation, and how often the character changed in the run. */
  #last = 0
  #changes = 0
  /** Recent share of words with letters that English lacks: words of other languages have more tokens. */
  #foreign = 0

  /** Tokens so far, including the current part. */
  get tokens(): number {
    return this.#finished + this.#cost()
  }

  /**
   * Reads the inside of a JSON string.
   *
   * @param start index after the opening quote
   * @param end index after the last byte that may be read
   * @returns index of the closing quote, or `end` if there is none
   */
  read(bytes: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end) {
      const byte = bytes[at]!
      const kind = KINDS[byte]!
      if (kind <= UPPER) {
        // The most frequent case: the next letter of a word.
        if (this.#kind === WORD && kind === LOWER) {
          this.#length++
          this.#hasLower = true
        } else this.#letter(kind === UPPER)
        at++
      } else if (kind === QUOTE) return at
      else if (kind === ESCAPE) at = this.#escape(bytes, at, end)
      else if (kind === HIGH) at = this.#multiByte(bytes, at, end)
      else {
        this.#readAscii(kind, byte)
        at++
      }
    }
    return end
  }

  #readAscii(kind: number, character: number): void {
    if (kind === SPACE) this.#space()
    else if (kind === DIGIT) this.#run(DIGITS)
    else if (kind === NEWLINE) this.#newline()
    else this.#punctuation(character)
  }

  #letter(isUpper: boolean): void {
    if (this.#kind === WORD && !(isUpper && this.#hasLower)) {
      this.#length++
      if (!isUpper) this.#hasLower = true
      return
    }
    // A single character before a word belongs to it, unless it is a digit or a letter.
    const before = this.#kind
    if (before === SPACES) {
      if (this.#length > 1) this.#finished++
      this.#begin(WORD, SPACE_PREFIX)
    } else if (before === MARKS && this.#length === 1 && this.#prefix === NO_PREFIX) {
      this.#begin(WORD, MARK_PREFIX)
    } else if (before === APOSTROPHE) {
      this.#begin(WORD, APOSTROPHE_PREFIX)
    } else {
      this.#finished += this.#cost()
      this.#begin(WORD, NO_PREFIX)
    }
    this.#isCapital = isUpper
    this.#hasLower = !isUpper
    this.#hasAccent = false
  }

  #space(): void {
    if (this.#kind === SPACES) this.#length++
    else this.#next(SPACES)
  }

  #newline(): void {
    // White space before a line end belongs to the same part; line ends after punctuation belong to the punctuation.
    if (this.#kind === SPACES) this.#begin(NEWLINES, NO_PREFIX)
    else if (this.#kind !== NEWLINES && this.#kind !== MARKS) this.#next(NEWLINES)
  }

  #punctuation(character: number): void {
    if (this.#kind === MARKS) {
      this.#length++
      if (character !== this.#last) this.#changes++
    } else if (this.#kind === SPACES) {
      if (this.#length > 1) this.#finished++
      this.#begin(MARKS, SPACE_PREFIX)
    } else if (this.#kind === WORD && character === APOSTROPHE_CODE) {
      this.#next(APOSTROPHE)
    } else if (this.#kind === APOSTROPHE) {
      this.#begin(MARKS, NO_PREFIX)
      this.#length = 2
    } else this.#next(MARKS)
    this.#last = character
  }

  /** Adds a character of a kind whose parts have no prefix. */
  #run(kind: number): void {
    if (this.#kind === kind) this.#length++
    else this.#next(kind)
  }

  #next(kind: number): void {
    this.#finished += this.#cost()
    this.#begin(kind, NO_PREFIX)
  }

  #begin(kind: number, prefix: number): void {
    if (this.#kind === WORD) this.#foreign += ((this.#hasAccent ? 1 : 0) - this.#foreign) / FOREIGN_WINDOW_WORDS
    this.#kind = kind
    this.#prefix = prefix
    this.#length = 1
    this.#changes = 0
  }

  /** Returns the tokens of the current part if it ended here. */
  #cost(): number {
    const length = this.#length
    switch (this.#kind) {
      case WORD:
        return this.#wordCost()
      case DIGITS:
        return Math.ceil(length / 3)
      case MARKS: {
        // A repeated character (a rule, blanks to fill in) has tokens of its own.
        const changes = Math.min(length, 2 * this.#changes + 2)
        return length <= 3 ? MARK_COSTS[length]! : Math.max(1, 0.4 * changes) + (length - changes) / 16
      }
      case HAN:
        return 0.35 + 0.655 * length
      case HANGUL:
        return 0.35 + 0.6 * length
      case KANA:
        return Math.max(1, 0.1 + 0.57 * length)
      case CYRILLIC:
        return Math.max(1, 0.4 + 0.21 * length)
      case OTHER_SCRIPT:
        return Math.max(1, 0.35 * length)
      case SYMBOLS:
        return 1.3 * length
      case NOTHING:
        return 0
      default:
        return 1
    }
  }

  #wordCost(): number {
    const length = this.#length
    if (!this.#hasLower) return length <= 3 ? 1.05 : Math.max(1.2, length / 3.2)
    if (this.#prefix === APOSTROPHE_PREFIX) return length <= 2 ? 0.1 : 1 + length / 12
    if (this.#hasAccent) return 0.9 + (this.#foreign > 0.3 ? 0.18 : 0.13) * length
    const costs = this.#prefix === SPACE_PREFIX ? (this.#isCapital ? CAPITAL_COSTS : WORD_COSTS) : BARE_COSTS
    const english = costOf(costs, length)
    if (this.#foreign < 0.01) return english
    return english + Math.min(1.1, 12 * this.#foreign) * Math.max(0, costOf(FOREIGN_COSTS, length) - english)
  }

  /** @returns the index after the escape */
  #escape(bytes: Uint8Array, at: number, end: number): number {
    const escaped = bytes[at + 1]
    if (escaped === SMALL_U) {
      const code = Number.parseInt(String.fromCharCode(...bytes.subarray(at + 2, at + 6)), 16)
      if (code < 0x80) this.#character(code)
      else this.#wide(code)
      return Math.min(at + 6, end)
    }
    if (escaped === SMALL_N || escaped === SMALL_R) this.#newline()
    else if (escaped === SMALL_T) this.#space()
    else if (escaped !== undefined) this.#punctuation(escaped)
    return Math.min(at + 2, end)
  }

  #character(code: number): void {
    if (code === 10 || code === 13) return this.#newline()
    const kind = KINDS[code]!
    if (kind <= UPPER) this.#letter(kind === UPPER)
    else this.#readAscii(kind === QUOTE || kind === ESCAPE ? MARK : kind, code)
  }

  /** Reads a character of several bytes. */
  #multiByte(bytes: Uint8Array, at: number, end: number): number {
    const lead = bytes[at]!
    const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    let code = lead & (0xff >> (length + 1))
    for (let next = at + 1; next < at + length && next < end; next++) code = (code << 6) | (bytes[next]! & 0x3f)
    this.#wide(code)
    return Math.min(at + length, end)
  }

  #wide(code: number): void {
    if (code < 0x250) {
      if (code < 0xc0) return this.#punctuation(code)
      this.#letter(false)
      this.#hasAccent = true
    } else if (code < 0x370) return
    else if (code >= 0x400 && code < 0x530) this.#script(CYRILLIC)
    else if (code < 0x2000) this.#script(OTHER_SCRIPT)
    else if (code === 0x2019) this.#punctuation(APOSTROPHE_CODE)
    else if (code < 0x2e80 || (code >= 0x3000 && code < 0x3040) || (code >= 0xff00 && code < 0xff66)) this.#symbol(code)
    else if (code < 0x3100) this.#script(KANA)
    else if (code >= 0xac00 && code < 0xd7b0) this.#script(HANGUL)
    else if (code < 0xd800 || (code >= 0xf900 && code < 0xfb00) || (code >= 0x20000 && code < 0x40000))
      this.#script(HAN)
    // The second half of a surrogate pair, or a character that only modifies the one before it.
    else if (code >= 0xdc00 && code < 0x10000) return
    else this.#run(SYMBOLS)
  }

  #script(kind: number): void {
    if (this.#kind === kind) {
      this.#length++
      return
    }
    // A space before a word is part of it.
    if (this.#kind === SPACES && this.#length === 1) this.#kind = NOTHING
    this.#next(kind)
  }

  /** Adds punctuation outside ASCII: a token each, except for repetitions. */
  #symbol(code: number): void {
    if (this.#kind === MARKS && this.#last === code) {
      this.#length++
      return
    }
    if (this.#kind === SPACES && this.#length === 1) this.#kind = NOTHING
    this.#next(MARKS)
    // Unlike a bracket, it is not part of the word after it.
    this.#prefix = SPACE_PREFIX
    this.#last = code
  }
}

/** Only a few words of a language contain letters that English lacks, so this many words are averaged. */
const FOREIGN_WINDOW_WORDS = 20

// Kinds of bytes within a JSON string.
const LOWER = 0
const UPPER = 1
const SPACE = 2
const DIGIT = 3
const MARK = 4
const NEWLINE = 5
const QUOTE = 6
const ESCAPE = 7
const HIGH = 8

// Kinds of parts.
const NOTHING = 0
const WORD = 1
const SPACES = 2
const NEWLINES = 3
const DIGITS = 4
const MARKS = 5
const APOSTROPHE = 6
const HAN = 7
const HANGUL = 8
const CYRILLIC = 9
const OTHER_SCRIPT = 10
const SYMBOLS = 11
const KANA = 12

// What precedes a part and belongs to it.
const NO_PREFIX = 0
const SPACE_PREFIX = 1
const MARK_PREFIX = 2
const APOSTROPHE_PREFIX = 3

const APOSTROPHE_CODE = 0x27
const SMALL_N = 0x6e
const SMALL_R = 0x72
const SMALL_T = 0x74
const SMALL_U = 0x75

const KINDS = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) {
  const isUpper = byte >= 0x41 && byte <= 0x5a
  const isLower = byte >= 0x61 && byte <= 0x7a
  if (byte >= 0x80) KINDS[byte] = HIGH
  else if (isLower) KINDS[byte] = LOWER
  else if (isUpper) KINDS[byte] = UPPER
  else if (byte >= 0x30 && byte <= 0x39) KINDS[byte] = DIGIT
  else if (byte === 0x22) KINDS[byte] = QUOTE
  else if (byte === 0x5c) KINDS[byte] = ESCAPE
  else if (byte === 10 || byte === 13) KINDS[byte] = NEWLINE
  else KINDS[byte] = byte <= 0x20 ? SPACE : MARK
}

const MARK_COSTS = [0, 1, 1.07, 1.2]

// Tokens of a word by its letters.
const WORD_COSTS = [0, 1, 1, 1, 1.01, 1.02, 1.04, 1.04, 1.06, 1.1, 1.13, 1.17, 1.2, 1.25, 1.5, 1.8]
const CAPITAL_COSTS = [0, 1, 1, 1.01, 1.02, 1.06, 1.15, 1.15, 1.28, 1.4, 1.5, 1.6, 1.8, 1.9, 2.1, 2.3]
const BARE_COSTS = [0, 1, 1, 1.05, 1.07, 1.15, 1.25, 1.3, 1.4, 1.5, 1.75, 2, 2, 2, 2.3, 2.6]
const FOREIGN_COSTS = [0, 1, 1, 1.02, 1.06, 1.16, 1.26, 1.42, 1.6, 1.7, 2, 2.15, 2.3, 2.4, 2.6, 2.8]
const LETTERS_PER_TOKEN_BEYOND = 4

function costOf(costs: readonly number[], length: number): number {
  const longest = costs.length - 1
  return length <= longest ? costs[length]! : costs[longest]! + (length - longest) / LETTERS_PER_TOKEN_BEYOND
}
