import { BaseFramer } from './base-framer.js'
import type { Framing } from './framing.js'
import { readSse, writeSse } from './sse-message.js'

const LF = 10
const CR = 13
const COLON = 58
const BOM = Buffer.from('\uFEFF')

/** A comment, which every reader of events skips. */
export const SSE_HEARTBEAT: Buffer = Buffer.from(': heartbeat\n\n')

/**
 * Splits a stream of server-sent events between its events, and nowhere else.
 *
 * A blank line ends an event. LF, CR or CRLF ends a line, and senders may mix them (WHATWG HTML, 9.2.5 "Parsing an
 * event stream").
 */
export class SseFramer extends BaseFramer {
  readonly carriesMessages = true
  readonly heartbeat: Buffer = SSE_HEARTBEAT

  /** The current line is empty so far. */
  #lineIsEmpty = true
  /** The last byte was a CR that ended its line; an LF directly after it belongs to the same line end. */
  #afterCR = false
  /** The current block has a line that is not a comment, which makes it an event. */
  #isEvent = false
  /** Number of bytes of a byte order mark so far. The mark may precede the first line and is not part of it. */
  #bom = 0

  protected scan(chunk: Buffer, from: number): void {
    const at = this.#bom < BOM.length ? this.#skipBom(chunk, from) : from
    if (chunk.includes(CR, at)) this.#scanMixed(chunk, at)
    else this.#scanLF(chunk, at)
  }

  protected finish(): void {
    // After a CR, the first LF would only complete its line end.
    if (this.pending.bytes > 0) this.emitRest(this.#lineIsEmpty && !this.#afterCR ? '\n' : '\n\n', this.#isEvent)
  }

  #skipBom(chunk: Buffer, from: number): number {
    let at = from
    while (at < chunk.length && this.#bom < BOM.length && chunk[at] === BOM[this.#bom]) {
      at++
      this.#bom++
    }
    if (at < chunk.length && this.#bom < BOM.length) {
      // The bytes that looked like the start of a mark are the start of a line.
      if (this.#bom > 0) {
        this.#isEvent = true
        this.#lineIsEmpty = false
      }
      this.#bom = BOM.length
    }
    return at
  }

  /** Handles the usual case, in which all line ends are LF, with native searches from one to the next. */
  #scanLF(chunk: Buffer, from: number): void {
    let lineStart = from
    if (this.#afterCR) {
      this.#afterCR = false
      if (chunk[from] === LF) {
        lineStart = from + 1
        if (this.isBetweenFrames(from)) this.extendFrame(lineStart)
      }
    }
    // Local variables, because this loop runs for every event of a burst.
    let lineIsEmpty = this.#lineIsEmpty
    let isEvent = this.#isEvent
    for (;;) {
      // Most lines are followed by a blank line: checking one byte is cheaper than a search.
      while (lineIsEmpty && lineStart < chunk.length && chunk[lineStart] === LF) {
        if (!this.endFrame(++lineStart, isEvent)) return
        isEvent = false
      }
      const lf = chunk.indexOf(LF, lineStart)
      if (lf === -1) break
      if (lineIsEmpty && chunk[lineStart] !== COLON) isEvent = true
      lineIsEmpty = true
      lineStart = lf + 1
    }
    if (lineStart < chunk.length) {
      if (lineIsEmpty && chunk[lineStart] !== COLON) isEvent = true
      lineIsEmpty = false
    }
    this.#lineIsEmpty = lineIsEmpty
    this.#isEvent = isEvent
  }

  /** Handles a chunk that contains a CR, byte by byte. */
  #scanMixed(chunk: Buffer, from: number): void {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]
      if (byte === LF && this.#afterCR) {
        this.#afterCR = false
        // The second half of the line end that ended the event.
        if (this.isBetweenFrames(at)) this.extendFrame(at + 1)
      } else if (byte === LF || byte === CR) {
        this.#afterCR = byte === CR
        if (this.#lineIsEmpty) {
          if (!this.#endBlock(at + 1)) return
        }
        this.#lineIsEmpty = true
      } else {
        this.#afterCR = false
        if (this.#lineIsEmpty && byte !== COLON) this.#isEvent = true
        this.#lineIsEmpty = false
      }
    }
  }

  /** Ends the block with a blank line that ends at `at`. @returns `false` if the block is too large */
  #endBlock(at: number): boolean {
    const isEvent = this.#isEvent
    this.#isEvent = false
    return this.endFrame(at, isEvent)
  }
}

/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export const sse: Framing = {
  name: 'sse',
  contentType: 'text/event-stream; charset=utf-8',
  mediaTypes: ['text/event-stream'],
  createFramer: (maxEventBytes) => new SseFramer(maxEventBytes),
  read: readSse,
  dataStart: (beginning) => beginning.indexOf('data:') + 'data:'.length,
  write: (message) => Buffer.from(writeSse(message)),
  // Anywhere but at the very beginning, a byte order mark would be part of the first line and corrupt it.
  asContinuation: (frames) => (BOM.equals(frames.subarray(0, BOM.length)) ? frames.subarray(BOM.length) : frames),
}
