import { OutgoingMessage, type ServerResponse } from 'node:http'
import { Socket } from 'node:net'

/** To copy a longer piece costs more than to send it as a vector. */
const COPIED_BYTES = 4096

const nodesWrite = OutgoingMessage.prototype.write
const CRLF = 0x0d0a

/**
 * Writes a body in HTTP's chunked coding straight to the client's connection, each piece in one write.
 *
 * Node's response makes four writes of a piece, holds them until the next tick, and sends them as a vector: for a stream
 * of small events that is a fifth of all that a proxy does. It is left alone if anything else has a hand in what is
 * written: a middleware that wraps `write()`, another protocol than HTTP/1.1, a response that waits for its turn.
 */
export class ChunkWriter {
  readonly #res: ServerResponse
  readonly #socket: Socket

  private constructor(res: ServerResponse, socket: Socket) {
    this.#res = res
    this.#socket = socket
  }

  /** @returns `undefined` if the response has to write for itself */
  static for(res: ServerResponse): ChunkWriter | undefined {
    const { socket } = res
    if (!res.chunkedEncoding || !res.headersSent || !(socket instanceof Socket)) return undefined
    const writer = new ChunkWriter(res, socket)
    return writer.isUsable ? writer : undefined
  }

  /**
   * Whether nothing comes between: `write()` is Node's own, the connection is there, and the response holds nothing back
   * that would then come too late. (From version 22 on, Node's keeps chunks until the next tick, to join them.)
   */
  get isUsable(): boolean {
    const res = this.#res
    const socket = this.#socket
    return (
      res.write === nodesWrite &&
      res.socket === socket &&
      !res.writableEnded &&
      !socket.destroyed &&
      res.writableLength === socket.writableLength
    )
  }

  /** @returns whether the client keeps up; if not, `onDrain` tells when it does */
  write(bytes: Buffer, onDrain: () => void): boolean {
    const keepsUp = bytes.length > COPIED_BYTES ? this.#writeVector(bytes) : this.#socket.write(asChunk(bytes))
    if (!keepsUp && !this.#socket.listeners('drain').includes(onDrain)) this.#socket.once('drain', onDrain)
    return keepsUp
  }

  #writeVector(bytes: Buffer): boolean {
    const socket = this.#socket
    socket.cork()
    socket.write(`${bytes.length.toString(16)}\r\n`, 'latin1')
    socket.write(bytes)
    const keepsUp = socket.write('\r\n', 'latin1')
    socket.uncork()
    return keepsUp
  }

  /** `onDrain` is not called any more. */
  forget(onDrain: () => void): void {
    this.#socket.off('drain', onDrain)
  }
}

/**
 * Writes the first bytes of a response together with its head, now and not at the next tick.
 *
 * @returns what `write()` has returned; `undefined` if something else has a hand in it: then nothing is written
 */
export function writeWithHead(res: ServerResponse, bytes: Buffer): boolean | undefined {
  const { socket } = res
  if (res.write !== nodesWrite || !(socket instanceof Socket)) return undefined
  socket.cork()
  try {
    return res.write(bytes)
  } finally {
    socket.uncork()
  }
}

function asChunk(bytes: Buffer): Buffer {
  const size = bytes.length.toString(16)
  const start = size.length + 2
  const chunk = Buffer.allocUnsafe(start + bytes.length + 2)
  chunk.write(size, 'latin1')
  chunk.writeUInt16BE(CRLF, size.length)
  chunk.set(bytes, start)
  chunk.writeUInt16BE(CRLF, start + bytes.length)
  return chunk
}
