import type { Framer } from './framer.js'

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
  /** The unfinished event, in the pieces that it came in. */
  #held: Buffer[] = []
  #heldBytes = 0
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

  push(chunk: Buffer): Buffer | undefined {
    this.#lastStart = this.#lastEnd = 0
    this.#out = undefined
    if (this.tooLarge || chunk.length === 0) return undefined
    const from = this.#bom < BOM.length ? this.#skipBom(chunk) : 0
    const cut = chunk.includes(CR) ? this.#scanMixed(chunk, from) : this.#scan(chunk, from)
    if (cut > 0) this.#out = this.#join(cut === chunk.length ? chunk : chunk.subarray(0, cut))
    if (cut < chunk.length) {
      this.#held.push(cut === 0 ? chunk : chunk.subarray(cut))
      this.#heldBytes += chunk.length - cut
      if (this.#heldBytes > this.#maxEventBytes) this.tooLarge = true
    }
    return this.#out
  }

  last(): Buffer | undefined {
    return this.#lastEnd > 0 ? this.#out?.subarray(this.#lastStart, this.#lastEnd) : undefined
  }

  end(): Buffer | undefined {
    this.#lastStart = this.#lastEnd = 0
    this.#out = undefined
    if (this.tooLarge || this.#heldBytes === 0) return undefined
    // Behind a CR the first LF is but its second half.
    const rest = this.#join(Buffer.from(this.#lineIsEmpty && !this.#afterCR ? '\n' : '\n\n'))
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

  #skipBom(chunk: Buffer): number {
    let at = 0
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
      if (chunk[0] === LF) {
        lineStart = 1
        if (this.#heldBytes === 0) cut = 1
      }
    }
    for (let lf = chunk.indexOf(LF, lineStart); lf !== -1; lf = chunk.indexOf(LF, lineStart)) {
      if (this.#lineIsEmpty && lf === lineStart) {
        if (!this.#endBlock(cut, lf + 1)) return cut
        cut = lf + 1
      } else if (this.#lineIsEmpty && chunk[lineStart] !== COLON) {
        this.#isEvent = true
      }
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
        if (at === cut && (cut > 0 || this.#heldBytes === 0)) cut = at + 1
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
    const held = this.#heldBytes
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

  #join(tail: Buffer): Buffer {
    if (this.#heldBytes === 0) return tail
    this.#held.push(tail)
    const whole = Buffer.concat(this.#held, this.#heldBytes + tail.length)
    this.#held = []
    this.#heldBytes = 0
    return whole
  }
}
