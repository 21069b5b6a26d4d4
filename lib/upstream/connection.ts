import { type IncomingMessage, maxHeaderSize } from 'node:http'
import type { Socket } from 'node:net'
import { copyChunk } from '../util/chunk-memory.js'
import { ChunkJoiner } from './chunk-joiner.js'

const HEAD_END = Buffer.from('\r\n\r\n')
const EMPTY = Buffer.alloc(0)
/** Smaller ones are copied into Node's pool, or cost little. */
const MIN_CHUNK_BYTES = 8 * 1024
/** Limit for what precedes the head of a response: blank lines, and interim responses. Node limits the head itself. */
const MAX_BYTES_BEFORE_HEAD = 16 * maxHeaderSize
/**
 * Node's client keeps this many names and values of a head (1,000 fields), but its parser also obeys those after them.
 */
const MAX_RAW_HEADERS = 2000
const TAB = 9
const CR = 13
const LF = 10

/**
 * A connection to the provider. It passes what it reads to Node's HTTP client, except for the chunks of a chunked body.
 *
 * Node's parser calls into JavaScript for each chunk, with a buffer of its own, and providers send an event per chunk:
 * that is more than half of the cost of a bursting stream. Here, all chunks from one read become one piece, pushed to
 * the response as the parser would. The parser sees the head of the response, and then whatever is not a plain chunk:
 * the last chunk, with the trailers.
 */
export class Connection {
  readonly #socket: Socket
  readonly #onUnexpectedClient: () => void
  /** Node's client reads the socket by other means than its `data` events: it gets all bytes as Node would bring them. */
  #isLeftToNode = false
  /** The current response, after its head has been parsed. */
  #response: IncomingMessage | undefined
  #joiner: ChunkJoiner | undefined
  /** Until the response is over, everything goes to the parser. */
  #delegatesToParser = false
  /** Number of bytes of the next response that have arrived before the end of its head. */
  #bytesBeforeHead = 0

  /** @param onUnexpectedClient is called if Node's HTTP client does not listen as it is expected to */
  constructor(socket: Socket, onUnexpectedClient: () => void = () => {}) {
    this.#socket = socket
    this.#onUnexpectedClient = onUnexpectedClient
    ;(socket as ConnectedSocket).connection = this
  }

  /** Returns the connection of a request or its response; `undefined` if it does not come from the middleware's agent. */
  static of({ socket }: { readonly socket: Socket | null }): Connection | undefined {
    return (socket as ConnectedSocket | null)?.connection
  }

  /** A request has got this connection. Node's client listens by now, or does so in a way that is not known here. */
  handleRequest(): void {
    if (this.#isLeftToNode || this.#socket.listenerCount('data') > 0) return
    this.#isLeftToNode = true
    this.#onUnexpectedClient()
  }

  /** Called after the parser has parsed the head of a response. */
  handleResponse(response: IncomingMessage): void {
    this.#response = response
    this.#bytesBeforeHead = 0
  }

  /**
   * Takes what the connection brings.
   *
   * @param bytes what was read; the buffer will be overwritten
   * @returns whether Node should read on
   */
  read(bytes: Buffer): boolean {
    if (this.#isLeftToNode) return this.#socket.push(Buffer.from(bytes))
    if (!this.#response) this.#countBeforeHead(bytes.length)
    let rest = bytes
    while (rest.length > 0 && !this.#socket.destroyed) {
      if (this.#joiner) rest = this.#join(this.#joiner, rest)
      else if (this.#delegatesToParser) rest = this.#parse(rest, rest.length)
      else rest = this.#parseHead(rest)
    }
    return true
  }

  #countBeforeHead(count: number): void {
    this.#bytesBeforeHead += count
    if (this.#bytesBeforeHead > MAX_BYTES_BEFORE_HEAD) {
      this.#socket.destroy(new Error('too many bytes came before the head of the answer'))
    }
  }

  #parseHead(read: Buffer): Buffer {
    // Blank lines may precede a head (RFC 9112, 2.2). Parsing one costs 70 times as much as skipping it.
    const bytes = this.#socket.listenerCount('data') > 0 ? withoutBlankLines(read) : read
    if (bytes.length === 0) return bytes
    const end = bytes.indexOf(HEAD_END) + HEAD_END.length
    this.#delegatesToParser = end < HEAD_END.length || !isPlainHead(bytes.subarray(0, end))
    if (this.#delegatesToParser) return bytes
    const rest = this.#parse(bytes, end)
    // If there is no response, that was an interim one (1xx), and the head is still to come.
    if (this.#response && isChunked(this.#response)) this.#joiner = new ChunkJoiner()
    else this.#delegatesToParser = this.#response !== undefined
    return rest
  }

  #join(joiner: ChunkJoiner, bytes: Buffer): Buffer {
    const response = this.#response!
    const size = joiner.join(bytes)
    if (size > 0 && !response.push(copyBytes(bytes.subarray(0, size)))) this.#socket.pause()
    if (joiner.isMalformed)
      this.#socket.destroy(new Error('a chunk of the body does not have the length that it declares'))
    if (!joiner.isDone) return EMPTY
    this.#joiner = undefined
    this.#delegatesToParser = true
    return joiner.left()
  }

  /** @returns what follows `end` */
  #parse(bytes: Buffer, end: number): Buffer {
    // Bytes that nobody asked for must not be taken for the answer to the next request.
    if (!this.#socket.emit('data', bytes.subarray(0, end))) this.#socket.destroy()
    if (this.#response?.complete) {
      this.#response = undefined
      this.#delegatesToParser = false
    }
    return bytes.subarray(end)
  }
}

function copyBytes(bytes: Buffer): Buffer {
  return bytes.length < MIN_CHUNK_BYTES ? Buffer.from(bytes) : copyChunk(bytes)
}

interface ConnectedSocket extends Socket {
  connection?: Connection
}

/**
 * Returns whether all lines of the head end with CRLF, no CR or LF is alone, and there is no tab. Otherwise the parser
 * may disagree with us about where the head ends and what its fields say.
 */
function isPlainHead(head: Buffer): boolean {
  if (head.includes(TAB)) return false
  let lineStart = 0
  for (let at = head.indexOf(LF); at !== -1; at = head.indexOf(LF, lineStart)) {
    if (head.indexOf(CR, lineStart) !== at - 1) return false
    lineStart = at + 1
  }
  return true
}

function withoutBlankLines(bytes: Buffer): Buffer {
  let at = 0
  while (bytes[at] === CR || bytes[at] === LF) at++
  return bytes.subarray(at)
}

/** Returns whether the body is chunked, as Node's client and its parser both see it. */
function isChunked({ headers, rawHeaders }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === 'chunked' && rawHeaders.length < MAX_RAW_HEADERS
}
