import { type IncomingMessage, maxHeaderSize } from 'node:http'
import type { Socket } from 'node:net'
import { copyWithHeadroom } from '../util/headroom.js'
import { ChunkJoiner } from './chunk-joiner.js'

const HEAD_END = Buffer.from('\r\n\r\n')
const EMPTY = Buffer.alloc(0)
const MIN_HEADROOM_BYTES = 16 * 1024
/** What may come before the head of an answer: blank lines, and interim answers. A head itself is bounded by Node. */
const MAX_BYTES_BEFORE_HEAD = 16 * maxHeaderSize
/** Node's client keeps so many names and values of a head (1,000 fields), and its parser heeds those behind them. */
const MAX_RAW_HEADERS = 2000
const TAB = 9
const CR = 13
const LF = 10

/**
 * A connection to the provider: what it brings goes to Node's HTTP client.
 *
 * All but the chunks of a chunked body. Node's parser calls into JavaScript for each of them, with a buffer of its own,
 * and providers send an event a chunk: that is more than half of what a bursting stream costs. Here all chunks that one
 * read has brought become one piece, pushed to the response as the parser pushes. The parser sees the head of the
 * response, and then what is not a plain chunk: the last one, with the trailers.
 */
export class Connection {
  readonly #socket: Socket
  /** The response under way, once its head is parsed. */
  #response: IncomingMessage | undefined
  #joiner: ChunkJoiner | undefined
  /** Until the response is over all goes to the parser. */
  #delegatesToParser = false
  /** So much has come of the next answer, while its head has not come to an end. */
  #bytesBeforeHead = 0

  constructor(socket: Socket) {
    this.#socket = socket
    ;(socket as ConnectedSocket).connection = this
  }

  /** The connection that a response comes by; `undefined` where it is not one of ours. */
  static of(response: IncomingMessage): Connection | undefined {
    return (response.socket as ConnectedSocket | null)?.connection
  }

  /** The parser has come to the end of this response's head. */
  handleResponse(response: IncomingMessage): void {
    this.#response = response
    this.#bytesBeforeHead = 0
  }

  /** @param bytes what was read; it is overwritten */
  read(bytes: Buffer): void {
    if (!this.#response) this.#countBeforeHead(bytes.length)
    let rest = bytes
    while (rest.length > 0 && !this.#socket.destroyed) {
      if (this.#joiner) rest = this.#join(this.#joiner, rest)
      else if (this.#delegatesToParser) rest = this.#parse(rest, rest.length)
      else rest = this.#parseHead(rest)
    }
  }

  #countBeforeHead(count: number): void {
    this.#bytesBeforeHead += count
    if (this.#bytesBeforeHead > MAX_BYTES_BEFORE_HEAD) {
      this.#socket.destroy(new Error('too many bytes came before the head of the answer'))
    }
  }

  #parseHead(read: Buffer): Buffer {
    // Blank lines may stand before a head (RFC 9112, 2.2). To have each of them parsed costs 70 times as much as to skip it.
    const bytes = this.#socket.listenerCount('data') > 0 ? withoutBlankLines(read) : read
    if (bytes.length === 0) return bytes
    const end = bytes.indexOf(HEAD_END) + HEAD_END.length
    this.#delegatesToParser = end < HEAD_END.length || !isPlainHead(bytes.subarray(0, end))
    if (this.#delegatesToParser) return bytes
    const rest = this.#parse(bytes, end)
    // Without a response that was an interim one (1xx), and its head is still to come.
    if (this.#response && isChunked(this.#response)) this.#joiner = new ChunkJoiner()
    else this.#delegatesToParser = this.#response !== undefined
    return rest
  }

  #join(joiner: ChunkJoiner, bytes: Buffer): Buffer {
    const response = this.#response!
    const size = joiner.join(bytes)
    if (size > 0 && !response.push(copyBytes(bytes.subarray(0, size)))) this.#socket.pause()
    if (joiner.isMalformed) this.#socket.destroy(new Error('a chunk of the body has another length than it says'))
    if (!joiner.isDone) return EMPTY
    this.#joiner = undefined
    this.#delegatesToParser = true
    return joiner.left()
  }

  /** @returns what is behind `end` */
  #parse(bytes: Buffer, end: number): Buffer {
    // Bytes that nobody has asked for must not be taken for the answer to the next request.
    if (!this.#socket.emit('data', bytes.subarray(0, end))) this.#socket.destroy()
    if (this.#response?.complete) {
      this.#response = undefined
      this.#delegatesToParser = false
    }
    return bytes.subarray(end)
  }
}

/** Small ones share Node's pool, which a large one cannot. */
function copyBytes(bytes: Buffer): Buffer {
  return bytes.length < MIN_HEADROOM_BYTES ? Buffer.from(bytes) : copyWithHeadroom(bytes)
}

interface ConnectedSocket extends Socket {
  connection?: Connection
}

/**
 * Whether all lines of the head end with CRLF, no CR or LF stands alone, and no tab stands in it: where it is otherwise, our
 * view of where it ends, and of what its fields say, need not be the parser's.
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

/** The body comes in chunks, by Node's reading and the parser's. */
function isChunked({ headers, rawHeaders }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === 'chunked' && rawHeaders.length < MAX_RAW_HEADERS
}
