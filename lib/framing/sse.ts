import type { Framer } from './framer.js'
import { Held } from './held.js'

const LF = 10
const CR = 13
const COLON = 58
const BOM = [0xef, 0xbb, 0xbf]

/**
 * Cuts a stream of server-sent events between its events, and only there.
 *
 * An event ends at a blank line; a line ends with LF, CR or CRLF, mixed as the sender likes
 * (WHATWG HTML, 9.2.5 "Parsing an event stream"). Every byte is looked at once, however the stream is cut, and pieces of
 * an unfinished event are joined once, when its end has come: both keep a large event in tiny chunks linear.
 */
export class SseFramer implements Framer {
  readonly carriesMessages = true
  events = 0
  tooLarge = false

  readonly #maxEventBytes: number
  readonly #held = new Held()
  /** Nothing stands on the current line yet. */
  #lineIsEmpty = true
  /** The last byte was a CR that ended its line; an LF right behind it belongs to that line end. */
  #afterCR = false
  /** The current block has a line that is not a comment, which is what makes it an event. */
  #isEvent = false
  /** How much of a byte order mark has come; it may stand before the first line and is not part of it. */
  #bom = 0
  #out: Buffer | undefined
  /** Where the last event begins and ends within `#out`; no event where both are 0. */
  #lastStart = 0
  #lastEnd = 0

  /** @param maxEventBytes the longest event that passes, in bytes */
  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes
  }

  push(chunks: readonly Buffer[]): Buffer | undefined {
    this.#lastStart = this.#lastEnd = 0
    this.#out = undefined
    if (this.tooLarge) return undefined
    const heldBefore = this.#held.bytes
    const chunk = this.#held.joinedWith(chunks)
    // What was held stands in front now, and has been looked at, or is still held.
    let from = heldBefore - this.#held.bytes
    if (chunk.length === from) return undefined
    if (this.#bom < BOM.length) from = this.#skipBom(chunk, from)
    const cut = chunk.includes(CR, from) ? this.#scanMixed(chunk, from) : this.#scan(chunk, from)
    if (cut > 0) this.#out = this.#held.completedBy(cut === chunk.length ? chunk : chunk.subarray(0, cut))
    if (cut < chunk.length) {
      this.#held.hold(cut === 0 ? chunk : chunk.subarray(cut))
      if (this.#held.bytes > this.#maxEventBytes) this.tooLarge = true
    }
    return this.#out
  }

  last(): Buffer | undefined {
    if (this.#lastEnd === 0) return undefined
    const isAll = this.#lastStart === 0 && this.#lastEnd === this.#out?.length
    return isAll ? this.#out : this.#out?.subarray(this.#lastStart, this.#lastEnd)
  }

  end(): Buffer | undefined {
    this.#lastStart = this.#lastEnd = 0
    this.#out = undefined
    if (this.tooLarge || this.#held.bytes === 0) return undefined
    // Behind a CR the first LF is but its second half.
    const rest = this.#held.completedBy(Buffer.from(this.#lineIsEmpty && !this.#afterCR ? '\n' : '\n\n'))
    if (this.#isEvent) {
      this.events++
      this.#lastEnd = rest.length
    }
    this.#out = rest
    return rest
  }

  refuse(): void {
    if (this.#lastEnd > 0) this.events--
    this.#lastEnd = 0
  }

  #skipBom(chunk: Buffer, from: number): number {
    let at = from
    while (at < chunk.length && this.#bom < BOM.length && chunk[at] === BOM[this.#bom]) {
      at++
      this.#bom++
    }
    if (at < chunk.length && this.#bom < BOM.length) {
      // No mark: what looked like the start of one is the start of a line.
      if (this.#bom > 0) {
        this.#isEvent = true
        this.#lineIsEmpty = false
      }
      this.#bom = BOM.length
    }
    return at
  }

  /** The usual case, all line ends are LF: hops from one to the next at the speed of a native search. */
  #scan(chunk: Buffer, from: number): number {
    let cut = 0
    let lineStart = from
    if (this.#afterCR) {
      this.#afterCR = false
      if (chunk[from] === LF) {
        lineStart = from + 1
        if (from === 0 && this.#held.bytes === 0) cut = 1
      }
    }
    for (;;) {
      // A blank line is looked for, not searched for: there is one behind most lines.
      while (this.#lineIsEmpty && lineStart < chunk.length && chunk[lineStart] === LF) {
        lineStart++
        if (!this.#endBlock(cut, lineStart)) return cut
        cut = lineStart
      }
      const lf = chunk.indexOf(LF, lineStart)
      if (lf === -1) break
      if (this.#lineIsEmpty && chunk[lineStart] !== COLON) this.#isEvent = true
      this.#lineIsEmpty = true
      lineStart = lf + 1
    }
    if (lineStart < chunk.length) {
      if (this.#lineIsEmpty && chunk[lineStart] !== COLON) this.#isEvent = true
      this.#lineIsEmpty = false
    }
    return cut
  }

  /** The same for a chunk that has a CR in it, byte by byte. */
  #scanMixed(chunk: Buffer, from: number): number {
    let cut = 0
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]
      if (byte === LF && this.#afterCR) {
        this.#afterCR = false
        // Nothing but this LF behind the cut: it is the second half of the line end that ended the event.
        if (at === cut && (cut > 0 || this.#held.bytes === 0)) cut = at + 1
      } else if (byte === LF || byte === CR) {
        this.#afterCR = byte === CR
        if (this.#lineIsEmpty) {
          if (!this.#endBlock(cut, at + 1)) return cut
          cut = at + 1
        }
        this.#lineIsEmpty = true
      } else {
        this.#afterCR = false
        if (this.#lineIsEmpty && byte !== COLON) this.#isEvent = true
        this.#lineIsEmpty = false
      }
    }
    return cut
  }

  /** A blank line at `end` closes the block that began at `start`. @returns `false` when the block is too large. */
  #endBlock(start: number, end: number): boolean {
    const held = this.#held.bytes
    const from = start === 0 ? 0 : held + start
    if (held + end - from > this.#maxEventBytes) {
      this.tooLarge = true
      return false
    }
    if (this.#isEvent) {
      this.#isEvent = false
      this.events++
      this.#lastStart = from
      this.#lastEnd = held + end
    }
    return true
  }
}
