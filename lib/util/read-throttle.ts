import type { IncomingMessage } from 'node:http'

/** They take a millisecond or two. */
const CHUNKS_PER_ROUND = 1000

/**
 * Keeps a request in many tiny chunks from holding the event loop. Before anything else runs, libuv reads a socket up to
 * 32 times, 64 KiB each: that is some 350,000 chunks of one byte.
 */
export class ReadThrottle {
  readonly #req: IncomingMessage
  readonly #defer: (run: () => void) => void
  #chunks = 0

  /** @param defer runs a function once the event loop has gone round */
  constructor(req: IncomingMessage, defer: (run: () => void) => void = setImmediate) {
    this.#req = req
    this.#defer = defer
  }

  /** Counts a chunk. After many, the connection is not read until the event loop has gone round. */
  count(): void {
    this.#chunks++
    // Requests of HTTP/2 share their connection, and its parser is none of Node's for HTTP/1.
    if (this.#chunks !== CHUNKS_PER_ROUND || this.#req.httpVersionMajor !== 1) return
    const { socket } = this.#req
    socket.pause()
    this.#defer(() => {
      this.#chunks = 0
      socket.resume()
    })
  }
}
