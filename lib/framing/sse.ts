import { isObject, tryParseJson } from '../json/json.js'
import { BaseFramer } from './base-framer.js'
import type { Framing } from './framing.js'
import { readSse, writeSse } from './sse-message.js'

const LF = 10
const CR = 13
const COLON = 58
const BOM = Buffer.from('\uFEFF')
const DATA = Buffer.from('data:')

/** Two lines that are longer are not parsed to find out whether each is a message. */
const MAX_CHECKED_BYTES = 64 * 1024

/** A comment, which every reader of events skips. */
export const SSE_HEARTBEAT: Buffer = Buffer.from(': heartbeat\n\n')

/**
 * Splits a stream of server-sent events between its events, and nowhere else.
 *
 * A blank line ends an event. LF, CR or CRLF ends a line, and senders may mix them (WHATWG HTML, 9.2.5 "Parsing an
 * event stream"). Some servers forget the blank line: if the first two lines of a block are each a whole message, and a
 * third one follows, then each line of data ends an event.
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
  /** Number of complete lines of the current block. */
  #lines = 0
  /** Whether each line of data is an event; `undefined` until a block has shown it. */
  #isByLine: boolean | undefined
  /** If it is: how many bytes of `data:` the current line has begun with; -1 if it begins with something else. */
  #matched = 0
  /** Number of bytes of a byte order mark so far. The mark may precede the first line and is not part of it. */
  #bom = 0

  protected scan(chunk: Buffer, from: number): void {
    const at = this.#bom < BOM.length ? this.#skipBom(chunk, from) : from
    if (this.#isByLine) this.#scanLines(chunk, at)
    else if (chunk.includes(CR, at)) this.#scanMixed(chunk, at)
    else this.#scanLF(chunk, at)
  }

  protected finish(): void {
    if (this.#lines === (this.#lineIsEmpty ? 2 : 1)) this.#checkLines(NO_BYTES, 0)
    if (this.#isCutAfterData()) this.corrupt = 'it ended in the middle of an event'
    // After a CR, the first LF would only complete its line end.
    else if (this.pending.bytes > 0) this.emitRest(this.#lineIsEmpty && !this.#afterCR ? '\n' : '\n\n', this.#isEvent)
  }

  /**
   * Returns whether the body ends within a line that follows the data of its event: with a part of the event's name or id,
   * although the data is whole.
   */
  #isCutAfterData(): boolean {
    if (this.#lineIsEmpty || this.#lines === 0 || this.pending.bytes > MAX_CHECKED_BYTES) return false
    const block = Buffer.concat(this.pending.pieces).subarray(this.lastFrameEnd(0)).toString('latin1')
    const lineStart = Math.max(block.lastIndexOf('\n'), block.lastIndexOf('\r')) + 1
    return DATA_LINE.test(block.slice(0, lineStart)) && !DATA_OR_COMMENT.test(block.slice(lineStart))
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
    let lines = this.#lines
    for (;;) {
      // Most lines are followed by a blank line: checking one byte is cheaper than a search.
      while (lineIsEmpty && lineStart < chunk.length && chunk[lineStart] === LF) {
        if (!this.endFrame(++lineStart, isEvent)) return
        isEvent = false
        lines = 0
      }
      if (lines === 2 && lineIsEmpty && lineStart < chunk.length && this.#checkLines(chunk, lineStart)) return
      const lf = chunk.indexOf(LF, lineStart)
      if (lf === -1) break
      if (lineIsEmpty && chunk[lineStart] !== COLON) isEvent = true
      lineIsEmpty = true
      lineStart = lf + 1
      lines++
    }
    if (lineStart < chunk.length) {
      if (lineIsEmpty && chunk[lineStart] !== COLON) isEvent = true
      lineIsEmpty = false
    }
    this.#lineIsEmpty = lineIsEmpty
    this.#isEvent = isEvent
    this.#lines = lines
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
        } else this.#lines++
        this.#lineIsEmpty = true
      } else {
        this.#afterCR = false
        if (this.#lines === 2 && this.#lineIsEmpty && this.#checkLines(chunk, at)) return
        if (this.#lineIsEmpty && byte !== COLON) this.#isEvent = true
        this.#lineIsEmpty = false
      }
    }
  }

  /** Ends the block with a blank line that ends at `at`. @returns `false` if the block is too large */
  #endBlock(at: number): boolean {
    const isEvent = this.#isEvent
    this.#isEvent = false
    this.#lines = 0
    return this.endFrame(at, isEvent)
  }

  /**
   * Finds out whether each line of data is an event, from the two lines before `at` in the chunk being scanned. If so, it
   * ends these events, and scans the rest of the chunk.
   */
  #checkLines(chunk: Buffer, at: number): boolean {
    if (this.#isByLine !== undefined) return false
    const start = this.lastFrameEnd(0)
    if (this.pending.bytes + at - start > MAX_CHECKED_BYTES) {
      this.#isByLine = false
      return false
    }
    const block = Buffer.concat([...this.pending.pieces, chunk.subarray(0, at)]).subarray(start)
    const end = block.indexOf(LF) + 1
    this.#isByLine = isMessage(dataIn(block.subarray(0, end))) && isMessageOrEnd(dataIn(block.subarray(end)))
    if (!this.#isByLine) return false
    const isLast = chunk.length === 0
    this.#isEvent = true
    if (!isLast) this.#lineIsEmpty = true
    if (this.endFrame(start + end - this.pending.bytes, true) && !isLast && this.endFrame(at, true)) {
      this.#scanLines(chunk, at)
    }
    return true
  }

  /** Ends an event after each line of data, and a frame without an event after each blank line. */
  #scanLines(chunk: Buffer, from: number): void {
    let at = from
    while (at < chunk.length) {
      const lf = chunk.indexOf(LF, at)
      const end = lf === -1 ? chunk.length : lf
      if (end > at + 1 || (end > at && chunk[at] !== CR)) this.#lineIsEmpty = false
      while (at < end && this.#matched >= 0 && this.#matched < DATA.length) {
        this.#matched = chunk[at++] === DATA[this.#matched] ? this.#matched + 1 : -1
      }
      if (lf === -1) return
      const isData = this.#matched === DATA.length
      if ((isData || this.#lineIsEmpty) && !this.endFrame(lf + 1, isData)) return
      this.#lineIsEmpty = true
      this.#matched = 0
      at = lf + 1
    }
  }
}

const NO_BYTES = Buffer.alloc(0)

/** A line of data; a byte order mark may precede it. */
const DATA_LINE = /(?:^|[\r\n\xbf])data:/
const DATA_OR_COMMENT = /^(?:data:|:)/

/** Returns what a line has as data; `undefined` if it is another field, or a comment. */
function dataIn(line: Buffer): string | undefined {
  const text = line.toString().replace(/^\uFEFF/, '')
  return text.startsWith('data:') ? text.slice('data:'.length).trim() : undefined
}

function isMessage(data: string | undefined): boolean {
  return data !== undefined && isObject(tryParseJson(data))
}

/** A text in brackets ends some streams: `[DONE]`. */
function isMessageOrEnd(data: string | undefined): boolean {
  return isMessage(data) || (data !== undefined && /^\[[A-Z]+\]$/.test(data))
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
