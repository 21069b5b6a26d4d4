import { EventSplitter, SplitError } from './event-splitter.js'

const LF = 10
const CR = 13
const BOM = [0xef, 0xbb, 0xbf]
const ID = [...'id:'].map((letter) => letter.charCodeAt(0))
const DATA = [...'data:'].map((letter) => letter.charCodeAt(0))
/** No id of the server's is longer. */
const MAX_ID_BYTES = 128

/** Where a reader is in a stream of server-sent events. */
export interface SseCursor {
  /** Distinguishes the stream from another one with the same id; unknown before the first event. */
  readonly epoch: string | undefined
  /** Number of the last event, from 1; 0 before the first. */
  readonly n: number
}

/**
 * Splits server-sent events at their blank lines, and reads the number of each from the line `id: <epoch>.<n>` with
 * which the server starts it. LF, CR or CRLF ends a line (WHATWG HTML, 9.2.5).
 */
export class SseSplitter extends EventSplitter {
  #cursor: SseCursor
  /** The current line is empty so far. */
  #lineIsEmpty = true
  /** The last byte was a CR that ended its line; an LF directly after it belongs to the same line end. */
  #afterCR = false
  /** The last line end that is complete was CRLF. */
  #lastWasCRLF = false
  /** The event's blank line has ended with a CR, and an LF is expected to follow. */
  #awaitsLF = false
  /** The current event has at least one byte. */
  #hasBegun = false

  /** @param after where the body starts */
  constructor(maxEventBytes: number, after: SseCursor) {
    super(maxEventBytes)
    this.#cursor = after
  }

  get after(): string {
    const { epoch, n } = this.#cursor
    return epoch === undefined ? `${n}` : `${epoch}.${n}`
  }

  protected scan(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]
      if (this.#awaitsLF && byte !== LF) {
        // The line ended with a CR alone after all, so this byte starts the next event.
        this.#awaitsLF = false
        this.#afterCR = false
        return this.#end(at)
      }
      if (byte === LF && this.#afterCR) {
        this.#afterCR = false
        this.#lastWasCRLF = true
        // The LF belongs to the line end of an event, which may have gone out already.
        if (this.#awaitsLF || !this.#hasBegun) {
          this.#awaitsLF = false
          return this.#end(at + 1)
        }
      } else if (byte === LF || byte === CR) {
        const isBlank = this.#lineIsEmpty
        this.#lineIsEmpty = true
        this.#afterCR = byte === CR
        this.#hasBegun = true
        if (isBlank) {
          // If the line before ended with CRLF, so will this one: wait, or a cut between the two loses the LF.
          if (byte === LF || !this.#lastWasCRLF) return this.#end(at + 1)
          this.#awaitsLF = true
        } else {
          this.#lastWasCRLF = false
        }
      } else {
        this.#afterCR = false
        this.#lineIsEmpty = false
        this.#hasBegun = true
      }
    }
    return -1
  }

  #end(at: number): number {
    this.#hasBegun = false
    return at
  }

  protected restartScan(): void {
    this.#lineIsEmpty = true
    this.#afterCR = this.#lastWasCRLF = this.#awaitsLF = this.#hasBegun = false
  }

  protected override isCompleteAtEnd(): boolean {
    return this.#awaitsLF
  }

  protected accept(event: Uint8Array): boolean {
    const id = idOf(event)
    this.endsWithError = id === undefined && lineOf(event, DATA) !== undefined
    // A comment, such as a heartbeat.
    if (id === undefined) return true
    const { epoch, n } = this.#cursor
    if (epoch !== undefined && id.epoch !== epoch) {
      throw new SplitError('other_epoch', `the events are another stream's: epoch ${id.epoch} instead of ${epoch}`)
    }
    if (id.n <= n) return false
    // Numbers may be left out: the server hides some events from some clients.
    this.#cursor = id
    this.events++
    return true
  }
}

/** Reads `<epoch>.<n>`. */
export function sseCursor(text: string): SseCursor | undefined {
  const [, epoch, n] = /^([^.\s]+)\.(\d{1,15})$/.exec(text) ?? []
  return epoch === undefined ? undefined : { epoch, n: Number(n) }
}

/** Reads the first `id` of an event, which is the server's: one of the provider's would come later. */
function idOf(event: Uint8Array): SseCursor | undefined {
  const line = lineOf(event, ID)
  if (line === undefined || line.length > MAX_ID_BYTES) return undefined
  const text = String.fromCharCode(...line.subarray(ID.length))
  return sseCursor(text.replace(/^ /, ''))
}

/** Returns the first line of an event that begins with a field's name and a colon. */
function lineOf(event: Uint8Array, name: readonly number[]): Uint8Array | undefined {
  let at = BOM.every((byte, index) => event[index] === byte) ? BOM.length : 0
  while (at < event.length) {
    const end = lineEnd(event, at)
    if (name.every((byte, index) => event[at + index] === byte)) return event.subarray(at, end)
    at = end + 1
  }
  return undefined
}

function lineEnd(event: Uint8Array, from: number): number {
  let at = from
  while (at < event.length && event[at] !== LF && event[at] !== CR) at++
  return at
}
