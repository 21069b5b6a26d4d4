import { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { sizeOf } from '../framing/index.js'

/** So much may wait here before the connection is paused. What was read from it by then still comes: 64 KiB at the most. */
const PAUSE_AT_BYTES = 16 * 1024

/** One read of a connection brings so much at the most. */
const READ_BYTES = 64 * 1024

const NONE: Buffer[] = []

/**
 * Where the provider's bytes wait for their turn. Nothing is pushed on: they are taken, all that is there as the chunks
 * that they came in, and while they are not, the provider's connection is paused.
 *
 * Of a response of Node's HTTP client they are taken at the parser's `push`, before the stream has them. The stream would
 * join them (up to Node 24, `read()` gives one buffer) only for the framer to join them again with what it holds; that
 * second copy, out of V8's heap like any buffer, costs a tenth of the throughput, most of it in garbage collection. Should
 * a version of Node not come by `push`, or the source be another stream, then they are read from the stream.
 */
export class SourceReader {
  readonly #source: Readable
  readonly #onReadable: () => void
  readonly #push: Readable['push'] | undefined
  #chunks: Buffer[] = []
  #bytes = 0
  /** What was taken and left for the next turn. */
  #left: Buffer[] = NONE
  #isPaused = false
  #isClosed = false
  /** The parser said that the response is over, while chunks still waited. */
  #endIsHeld = false

  /** @param onReadable there may be bytes to take, or the end of them to be noticed */
  constructor(source: Readable, onReadable: () => void) {
    this.#source = source
    this.#onReadable = onReadable
    source.on('readable', onReadable)
    if (source instanceof IncomingMessage) {
      this.#push = source.push
      source.push = this.#take
    }
    if (source.readableLength > 0) onReadable()
  }

  /** How many bytes wait. */
  get length(): number {
    return sizeOf(this.#left) + this.#bytes + this.#source.readableLength
  }

  /** The source has come to its end, whole. */
  get isComplete(): boolean {
    return this.#source instanceof IncomingMessage && this.#source.complete
  }

  /** Whether the last `read` has set the connection going again, and so the parsing of what it sends next. */
  hasResumed = false

  /** Takes what waits, as the chunks that came: of less than one read brings `maxBytes` at the most, else about as much. */
  read(maxBytes: number): Buffer[] {
    this.hasResumed = false
    const all = this.#left.length > 0 ? this.#left : this.#readAll(maxBytes)
    const most = maxBytes < READ_BYTES ? maxBytes : 2 * READ_BYTES
    const [taken, left] = sizeOf(all) > most ? split(all, most) : [all, NONE]
    this.#left = left
    return taken
  }

  /** Takes chunk by chunk, until `maxBytes` are passed. */
  #readAll(maxBytes: number): Buffer[] {
    let taken: Buffer[] = []
    let size = 0
    // To read when nothing is there is how a stream is brought to its end.
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
    this.#goOn()
    return taken
  }

  /** Nothing is told any more, and what waits is dropped. */
  close(): void {
    this.#isClosed = true
    this.#source.off('readable', this.#onReadable)
    this.#chunks = []
    this.#left = NONE
    this.#bytes = 0
  }

  readonly #take = (pushed: Buffer | string | null, encoding?: BufferEncoding): boolean => {
    if (pushed === null) {
      this.#endIsHeld = this.#bytes > 0
      return this.#endIsHeld ? false : this.#push!.call(this.#source, null)
    }
    if (this.#isClosed) return false
    const chunk = asBuffer(pushed, encoding)
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    this.#onReadable()
    this.#isPaused = this.#bytes >= PAUSE_AT_BYTES
    return !this.#isPaused
  }

  #goOn(): void {
    if (this.#endIsHeld) {
      this.#endIsHeld = false
      this.#push!.call(this.#source, null)
      // Now, and not with another turn: so the connection is free again before the client has its answer.
      this.#source.read()
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

/** @returns chunks of `size` bytes together, or of all, and those that are left */
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
