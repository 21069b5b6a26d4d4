import { JsonNesting } from './nesting.js'

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const HIGHEST_SPACE = 0x20

/** A change of a JSON value: other JSON text in its place, or changes within it. */
export type Edit = string | ObjectEdit | ListEdit

export interface ObjectEdit {
  readonly kind: 'object'
  /** Changes of existing fields; `undefined` removes a field. Other fields keep their bytes. */
  readonly fields: ReadonlyMap<string, Edit | undefined>
  /** JSON text of new fields, which are appended. */
  readonly added: ReadonlyMap<string, string>
  /** All names in their new order, if the order changes. */
  readonly order?: readonly string[]
}

interface ListEdit {
  readonly kind: 'list'
  /** The new items: a run of old ones, a changed old one, or JSON text. */
  readonly items: readonly ListItem[]
}

export type ListItem = { readonly from: number; to: number } | { readonly index: number; readonly edit: Edit } | string

/** Bytes in pieces, joined once at the end: joining them on every level would copy deep values again and again. */
type Piece = Buffer | Piece[]

const comma = Buffer.from(',')

/**
 * Applies an edit to JSON text. Every byte that the edit does not name stays: the spelling of numbers and strings, the
 * order of fields, white space, a byte order mark. Whatever the edit is, the text is scanned once.
 *
 * @param bytes valid JSON
 */
export function applyEdit(bytes: Buffer, edit: Edit): Buffer {
  return Buffer.concat(applyEditInPieces(bytes, edit))
}

/** Applies an edit like {@link applyEdit}, and returns pieces that share the memory of the text. */
export function applyEditInPieces(bytes: Buffer, edit: Edit): Buffer[] {
  if (typeof edit === 'string') return [Buffer.from(edit)]
  const pieces: Buffer[] = []
  flatten(new Splicer(bytes).splice(edit), pieces)
  return pieces
}

function flatten(piece: Piece, into: Buffer[]): void {
  if (Buffer.isBuffer(piece)) into.push(piece)
  else for (const inner of piece) flatten(inner, into)
}

class Splicer {
  readonly #bytes: Buffer
  readonly #nesting = new JsonNesting()
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  splice(edit: Edit): Piece {
    const bytes = this.#bytes
    if (bytes[0] === 0xef) this.#at = 3
    this.#skipSpace()
    const start = this.#at
    const value = this.#value(edit)
    return [bytes.subarray(0, start), value, bytes.subarray(this.#at)]
  }

  /**
   * Returns the edited value at the cursor. A field may occur twice in an object; the edit was then made for the last
   * one.
   */
  #value(edit: Edit): Piece {
    const start = this.#at
    const byte = this.#bytes[start]
    if (typeof edit !== 'string') {
      if (edit.kind === 'object' && byte === OPEN_BRACE) return this.#object(edit)
      if (edit.kind === 'list' && byte === OPEN_BRACKET) return this.#list(edit)
    }
    this.#skipValue()
    return typeof edit === 'string' ? Buffer.from(edit) : this.#bytes.subarray(start, this.#at)
  }

  #object({ fields, added, order }: ObjectEdit): Piece {
    const runs = new Runs(this.#bytes)
    const touched = new Map<string, number>()
    const members = new Map<string, Piece>()
    const lengths = order ? undefined : new Set([...fields.keys()].map((name) => Buffer.byteLength(name)))
    const open = this.#at++
    const tail = this.#members(CLOSE_BRACE, (start) => {
      const name = this.#name(lengths)
      this.#skipSpace()
      if (this.#bytes[this.#at] === COLON) this.#at++
      this.#skipSpace()
      const isTouched = name !== undefined && fields.has(name)
      const valueStart = this.#at
      const edit = isTouched ? fields.get(name) : undefined
      const value = edit === undefined ? undefined : this.#value(edit)
      if (value === undefined) this.#skipValue()
      const valueEnd = this.#at
      this.#skipSpace()
      const end = this.#isAt(COMMA) ? this.#at : valueEnd
      const member = value && [this.#slice(start, valueStart), value, this.#slice(valueEnd, end)]
      if (order) {
        if (name !== undefined) members.set(name, member ?? this.#slice(start, end))
      } else if (!isTouched) {
        runs.keep(start, end)
      } else {
        // Of a repeated field the last one counts, so the change applies to that.
        const before = touched.get(name)
        if (before !== undefined) runs.drop(before)
        if (member) touched.set(name, runs.add(member))
      }
    })
    for (const name of order ?? []) {
      const member = members.get(name)
      if (member && !added.has(name)) runs.add(member)
      else if (added.has(name)) runs.add(field(name, added.get(name)!))
    }
    if (!order) for (const [name, text] of added) runs.add(field(name, text))
    return [this.#slice(open, open + 1), runs.joined(), this.#slice(tail, this.#at)]
  }

  #list({ items }: ListEdit): Piece {
    const edits = new Map<number, Edit>()
    /** Where the first and last items of the kept runs begin and end. */
    const starts = new Map<number, number>()
    const ends = new Map<number, number>()
    for (const item of items) {
      if (typeof item === 'string') continue
      if ('edit' in item) edits.set(item.index, item.edit)
      else {
        starts.set(item.from, -1)
        ends.set(item.to - 1, -1)
      }
    }
    const edited = new Map<number, Piece>()
    let index = 0
    const open = this.#at++
    const tail = this.#members(CLOSE_BRACKET, (start) => {
      const edit = edits.size === 0 ? undefined : edits.get(index)
      const valueStart = this.#at
      const value = edit === undefined ? undefined : this.#value(edit)
      if (value === undefined) this.#skipValue()
      const valueEnd = this.#at
      this.#skipSpace()
      const end = this.#isAt(COMMA) ? this.#at : valueEnd
      if (value) edited.set(index, [this.#slice(start, valueStart), value, this.#slice(valueEnd, end)])
      if (starts.has(index)) starts.set(index, start)
      if (ends.has(index)) ends.set(index, end)
      index++
    })
    const runs = new Runs(this.#bytes)
    for (const item of items) {
      if (typeof item === 'string') runs.add(Buffer.from(item))
      else if ('edit' in item) runs.add(edited.get(item.index) ?? [])
      else if (item.to <= index) runs.keep(starts.get(item.from)!, ends.get(item.to - 1)!)
    }
    return [this.#slice(open, open + 1), runs.joined(), this.#slice(tail, this.#at)]
  }

  /**
   * Goes through the members between brackets, up to after the closing one.
   *
   * @param take reads one member, with the cursor on its first byte, and stops at the next comma or bracket
   * @returns where the white space before the closing bracket begins, which belongs to no member
   */
  #members(close: number, take: (start: number) => void): number {
    const bytes = this.#bytes
    let tail = this.#at
    this.#skipSpace()
    while (this.#at < bytes.length && !this.#isAt(close)) {
      take(tail)
      if (this.#isAt(COMMA)) {
        tail = ++this.#at
        this.#skipSpace()
        continue
      }
      tail = this.#at
      while (tail > 0 && bytes[tail - 1]! <= HIGHEST_SPACE) tail--
      break
    }
    this.#at = Math.min(this.#at + 1, bytes.length)
    return tail
  }

  /** Reads the name at the cursor; `undefined` if its length rules out all wanted names. */
  #name(lengths: ReadonlySet<number> | undefined): string | undefined {
    const bytes = this.#bytes
    const start = this.#at + 1
    let at = start
    let isEscaped = false
    while (at < bytes.length && bytes[at] !== QUOTE) {
      if (bytes[at] === BACKSLASH) {
        isEscaped = true
        at++
      }
      at++
    }
    this.#at = Math.min(at + 1, bytes.length)
    if (isEscaped) return JSON.parse(bytes.toString('utf8', start - 1, this.#at)) as string
    return lengths && !lengths.has(at - start) ? undefined : bytes.toString('utf8', start, at)
  }

  #skipValue(): void {
    const bytes = this.#bytes
    const nesting = this.#nesting
    if (nesting.begin(bytes[this.#at]!)) {
      this.#at = nesting.skip(bytes, this.#at + 1, 0)
      return
    }
    for (; this.#at < bytes.length; this.#at++) {
      const byte = bytes[this.#at]!
      if (byte <= HIGHEST_SPACE || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) return
    }
  }

  #skipSpace(): void {
    while (this.#at < this.#bytes.length && this.#bytes[this.#at]! <= HIGHEST_SPACE) this.#at++
  }

  #isAt(byte: number): boolean {
    return this.#bytes[this.#at] === byte
  }

  #slice(start: number, end: number): Buffer {
    return this.#bytes.subarray(start, end)
  }
}

function field(name: string, text: string): Buffer {
  return Buffer.from(`${JSON.stringify(name)}:${text}`)
}

/** Members of an object or a list in their new order. Members that stay adjacent form one piece. */
class Runs {
  readonly #bytes: Buffer
  readonly #pieces: (Piece | undefined)[] = []
  #start = -1
  #end = -1

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Adds a member that keeps its bytes. */
  keep(start: number, end: number): void {
    if (this.#start !== -1 && start === this.#end + 1) {
      this.#end = end
      return
    }
    this.#flush()
    this.#start = start
    this.#end = end
  }

  /** Adds a new piece. @returns an index for `drop` */
  add(piece: Piece): number {
    this.#flush()
    return this.#pieces.push(piece) - 1
  }

  drop(index: number): void {
    this.#pieces[index] = undefined
  }

  joined(): Piece {
    this.#flush()
    const pieces = this.#pieces.filter((piece) => piece !== undefined)
    return pieces.flatMap((piece, at) => (at === 0 ? [piece] : [comma, piece]))
  }

  #flush(): void {
    if (this.#start !== -1) this.#pieces.push(this.#bytes.subarray(this.#start, this.#end))
    this.#start = -1
  }
}
