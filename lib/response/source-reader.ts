import { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { sizeOf } from '../util/size-of.js'

/** Pauses the connection once this much waits. What had already been read from it still arrives: at most 64 KiB. */
const PAUSE_AT_BYTES = 16 * 1024

/** Maximum number of bytes that one read of a connection returns. */
const MAX_READ_BYTES = 64 * 1024

const NONE: Buffer[] = []

/**
 * Holds the provider's bytes until their turn. Nothing is pushed further: the consumer reads what is there, as the
 * chunks that arrived, and until it does, the provider's connection is paused.
 *
 * From a response of Node's HTTP client, bytes are captured at the parser's `push`, before the stream has them. The
 * stream would join them (up to Node 24, `read()` returns one buffer) only for the framer to join them again with what
 * it holds. That second copy lies outside V8's heap like any buffer, and costs bursts 7 to 12 % of their throughput (see
 * `docs/performance.md`). If a version of Node does not use `push`, or the source is another stream, bytes are read from the
 * stream.
 */
export class SourceReader {
  readonly #source: Readable
  readonly #onReadable: () => void
  readonly #onLast: () => void
  readonly #push: Readable['push'] | undefined
  #chunks: Buffer[] = []
  #bytes = 0
  /** Captured bytes left for the next turn. */
  #left: Buffer[] = NONE
  #isPaused = false
  #isClosed = false
  /** The parser reported the end of the response while chunks were still waiting. */
  #isEndHeld = false

  /**
   * @param onReadable called if there may be bytes to read, or the end to be noticed
   * @param onLast called if what is read now is the last, and the source emits its end in the next tick
   */
  constructor(source: Readable, onReadable: () => void, onLast: () => void = () => {}) {
    this.#source = source
    this.#onReadable = onReadable
    this.#onLast = onLast
    source.on('readable', onReadable)
    if (source instanceof IncomingMessage) {
      this.#push = source.push
      source.push = this.#capture
    }
    if (source.readableLength > 0) onReadable()
  }

  /** Number of bytes that wait. */
  get length(): number {
    return sizeOf(this.#left) + this.#bytes + this.#source.readableLength
  }

  /** Whether the source has ended, is complete, and nothing of it waits. */
  get isDrained(): boolean {
    return this.#source instanceof IncomingMessage && this.#source.complete && this.length === 0
  }

  /** Whether the last `read` resumed the connection, and with it the parsing of what it sends next. */
  hasResumed = false

  /**
   * Returns what waits, as the chunks that arrived: at most `maxBytes` if that is less than one read of the connection
   * returns, otherwise about as much.
   */
  read(maxBytes: number): Buffer[] {
    this.hasResumed = false
    const hasLeft = this.#left.length > 0
    const all = hasLeft ? this.#left : this.#readAll(maxBytes)
    const most = maxBytes < MAX_READ_BYTES ? maxBytes : 2 * MAX_READ_BYTES
    const [taken, left] = sizeOf(all) > most ? split(all, most) : [all, NONE]
    this.#left = left
    // The end may have come meanwhile. It is emitted only if a read finds nothing.
    if (hasLeft && this.length === 0) this.#source.read()
    return taken
  }

  /** Reads chunk by chunk until `maxBytes` are exceeded. */
  #readAll(maxBytes: number): Buffer[] {
    let taken: Buffer[] = []
    let size = 0
    // A stream ends only if it is read when it is empty.
    while (this.#source.readableLength > 0 || this.#bytes + size === 0) {
      const read: Buffer | string | null = this.#source.read()
      if (read === null) break
      const chunk = asBuffer(read)
      taken.push(chunk)
      size += chunk.length
      if (size >= maxBytes) return taken
    }
    if (this.#bytes === 0) return taken
    taken = taken.length === 0 ? this.#chunks : [...taken, ...this.#chunks]
    this.#chunks = []
    this.#bytes = 0
    this.#resume()
    return taken
  }

  /** Stops all callbacks, and drops what waits. */
  close(): void {
    this.#isClosed = true
    this.#source.off('readable', this.#onReadable)
    this.#chunks = []
    this.#left = NONE
    this.#bytes = 0
  }

  readonly #capture = (pushed: Buffer | string | null, encoding?: BufferEncoding): boolean => {
    if (pushed === null) {
      this.#isEndHeld = this.#bytes > 0
      return this.#isEndHeld ? false : this.#push!.call(this.#source, null)
    }
    if (this.#isClosed) return false
    const chunk = asBuffer(pushed, encoding)
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    this.#onReadable()
    this.#isPaused = this.#bytes >= PAUSE_AT_BYTES
    return !this.#isPaused
  }

  #resume(): void {
    if (this.#isEndHeld) {
      this.#isEndHeld = false
      this.#push!.call(this.#source, null)
      // Do it now, not in another turn: the connection is then free again before the client has its answer.
      this.#source.read()
      this.#onLast()
    } else if (this.#isPaused) {
      this.#isPaused = false
      this.hasResumed = true
      ;(this.#source as IncomingMessage).socket?.resume()
    }
  }
}

/** Mocks of HTTP may push strings. */
function asBuffer(chunk: Buffer | string, encoding?: BufferEncoding): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
}

/** @returns chunks of `size` bytes in total, or all, and the remaining ones */
function split(chunks: Buffer[], size: number): [Buffer[], Buffer[]] {
  let room = size
  for (const [index, chunk] of chunks.entries()) {
    if (chunk.length > room) {
      const left = [chunk.subarray(room), ...chunks.slice(index + 1)]
      return [room > 0 ? [...chunks.slice(0, index), chunk.subarray(0, room)] : chunks.slice(0, index), left]
    }
    room -= chunk.length
  }
  return [chunks, NONE]
}
