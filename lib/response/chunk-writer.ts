import { OutgoingMessage, type ServerResponse } from 'node:http'
import { Socket } from 'node:net'

/** Copying a longer piece costs more than sending it as a vector. */
const MAX_COPIED_BYTES = 4096

const nodeWrite = OutgoingMessage.prototype.write
const CRLF = 0x0d0a

/**
 * Writes a body in HTTP's chunked coding straight to the client's connection, with one write per piece.
 *
 * Node's response makes four writes of a piece, holds them until the next tick, and sends them as a vector: for a
 * stream of small events that is a fifth of a proxy's work. This writer is not used if other code affects what is
 * written: a middleware that wraps `write()`, a protocol other than HTTP/1.1, or a response that waits for its turn.
 */
export class ChunkWriter {
  readonly #res: ServerResponse
  readonly #socket: Socket
  #onTaken: (() => void) | undefined
  /** Other code has seen some of what was written, and may keep it. */
  #isOverheard: boolean

  private constructor(res: ServerResponse, socket: Socket) {
    this.#res = res
    this.#socket = socket
    // The first bytes were written together with the head.
    this.#isOverheard = !writesAsNode(socket)
  }

  /** @returns `undefined` if the response must write for itself */
  static for(res: ServerResponse): ChunkWriter | undefined {
    const { socket } = res
    if (!res.chunkedEncoding || !res.headersSent || !(socket instanceof Socket)) return undefined
    const writer = new ChunkWriter(res, socket)
    return writer.isUsable ? writer : undefined
  }

  /**
   * Whether nothing interferes: `write()` is Node's own, the connection exists, and the response buffers nothing that
   * would then be sent too late. (From version 22 on, Node's response keeps chunks until the next tick, to join them.)
   */
  get isUsable(): boolean {
    const res = this.#res
    const socket = this.#socket
    return (
      res.write === nodeWrite &&
      res.socket === socket &&
      !res.writableEnded &&
      !socket.destroyed &&
      res.writableLength === socket.writableLength
    )
  }

  /** Whether the system has taken all that was written: neither Node nor a wrapper of `write()` keeps any of it. */
  get hasSentAll(): boolean {
    return this.isUsable && this.#socket.writableLength === 0 && this.#isPrivate
  }

  /**
   * Calls back once the system has taken all that was written so far: at once, or when it is noticed, before the next write or
   * at the end. Only the last one that was set is called.
   */
  whenTaken(callback: () => void): void {
    this.#onTaken = callback
    this.checkTaken()
  }

  /** Calls back if the system has taken all by now. */
  checkTaken(): void {
    if (!this.#onTaken || !(this.hasSentAll || this.#hasFinished)) return
    const onTaken = this.#onTaken
    this.#onTaken = undefined
    onTaken()
  }

  get #hasFinished(): boolean {
    return this.#res.writableFinished && !this.#socket.destroyed && this.#isPrivate
  }

  get #isPrivate(): boolean {
    return !this.#isOverheard && writesAsNode(this.#socket)
  }

  /**
   * @returns whether the client keeps up; if not, `onDrain` is called when it does. `undefined` if the response must write for
   * itself: then nothing is written
   */
  write(bytes: Buffer, onDrain: () => void): boolean | undefined {
    this.checkTaken()
    this.#isOverheard ||= this.#res.write !== nodeWrite || !writesAsNode(this.#socket)
    if (!this.isUsable) return undefined
    const keepsUp = bytes.length > MAX_COPIED_BYTES ? this.#writeVector(bytes) : this.#socket.write(asChunk(bytes))
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

  /** Removes `onDrain`, so that it is not called any more. */
  removeDrainListener(onDrain: () => void): void {
    this.#socket.off('drain', onDrain)
  }
}

/**
 * Writes the first bytes of a response together with its head, immediately instead of at the next tick.
 *
 * @returns what `write()` has returned; `undefined` if other code affects what is written: then nothing is written
 */
export function writeWithHead(res: ServerResponse, bytes: Buffer): boolean | undefined {
  const { socket } = res
  if (res.write !== nodeWrite || !(socket instanceof Socket)) return undefined
  socket.cork()
  try {
    return res.write(bytes)
  } finally {
    socket.uncork()
  }
}

/** Sends what is written in this tick together with what the next one writes, if other code does not affect it. */
export function joinWithNextTick(res: ServerResponse): void {
  const { socket } = res
  if (res.write !== nodeWrite || !(socket instanceof Socket)) return
  socket.cork()
  // Does nothing if the end of the response has sent everything by then.
  process.nextTick(() => socket.uncork())
}

/** The last two are what a test, or what records traffic, may put in the place of the system. */
function writesAsNode(socket: Socket): boolean {
  const { write, _write, _writev } = Socket.prototype
  return socket.write === write && socket._write === _write && socket._writev === _writev
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
