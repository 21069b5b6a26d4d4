import { EventSplitter, SplitError } from './event-splitter.js'

const LF = 10
/** Tab, LF, CR and space: white space in JSON. */
const SPACES: readonly (number | undefined)[] = [9, 10, 13, 32]
/** Prelude and checksum: the shortest message of an event stream. */
const MIN_MESSAGE_BYTES = 16
const LENGTH_BYTES = 4

/** Splits a body whose events have no ids, so that the place in it is a number of events. */
abstract class CountingSplitter extends EventSplitter {
  #count: number

  /** @param after number of the event before the body's first */
  constructor(maxEventBytes: number, after: number) {
    super(maxEventBytes)
    this.#count = after
  }

  get after(): string {
    return `${this.#count}`
  }

  protected accept(event: Uint8Array): boolean {
    if (!this.counts(event)) return true
    this.#count++
    this.events++
    return true
  }

  /** Returns whether the server counts this as an event. */
  protected abstract counts(event: Uint8Array): boolean
}

/** Splits newline-delimited JSON. Blank lines do not count. */
export class LineSplitter extends CountingSplitter {
  protected scan(chunk: Uint8Array, from: number): number {
    return chunk.indexOf(LF, from) + 1 || -1
  }

  protected restartScan(): void {}

  protected counts(line: Uint8Array): boolean {
    return line.some((byte) => !SPACES.includes(byte))
  }
}

/** Splits an AWS event stream, whose messages start with their length in four bytes. */
export class MessageSplitter extends CountingSplitter {
  /** Bytes of the current message that have been scanned. */
  #scanned = 0
  /** The length of the current message, as far as it has been read. */
  #length = 0

  protected scan(chunk: Uint8Array, from: number): number {
    let at = from
    while (at < chunk.length && this.#scanned < LENGTH_BYTES) {
      this.#length = this.#length * 256 + chunk[at++]!
      this.#scanned++
    }
    if (this.#scanned < LENGTH_BYTES) return -1
    if (this.#length < MIN_MESSAGE_BYTES) {
      throw new SplitError('corrupt', `a message cannot have ${this.#length} bytes`)
    }
    const end = at + this.#length - this.#scanned
    this.#scanned += Math.min(end, chunk.length) - at
    if (end > chunk.length) return -1
    this.restartScan()
    return end
  }

  protected restartScan(): void {
    this.#scanned = this.#length = 0
  }

  protected counts(): boolean {
    return true
  }
}
