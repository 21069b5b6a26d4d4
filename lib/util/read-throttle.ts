import type { IncomingMessage } from 'node:http'

/** This many chunks take a millisecond or two. */
const CHUNKS_PER_ROUND = 1000

/**
 * Keeps a request that arrives in many tiny chunks from holding the event loop. libuv reads a socket up to 32 times, 64
 * KiB each, before anything else runs: some 350,000 chunks of one byte.
 */
export class ReadThrottle {
  readonly #req: IncomingMessage
  readonly #defer: (run: () => void) => void
  #chunks = 0

  /** @param defer runs a function after the event loop has gone round once */
  constructor(req: IncomingMessage, defer: (run: () => void) => void = setImmediate) {
    this.#req = req
    this.#defer = defer
  }

  /** Counts a chunk. After too many, the connection is paused until the event loop has gone round. */
  count(): void {
    this.#chunks++
    // HTTP/2 requests share their connection, and Node's HTTP/1 parser does not read it.
    if (this.#chunks !== CHUNKS_PER_ROUND || this.#req.httpVersionMajor !== 1) return
    const { socket } = this.#req
    socket.pause()
    this.#defer(() => {
      this.#chunks = 0
      socket.resume()
    })
  }
}
