import { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Writable } from 'node:stream'
import { type BodyBytes, isInMemory } from '../request/body-bytes.js'
import type { ClientConnection, UpstreamRequest } from '../request/upstream-request.js'
import { pinPath, type Route } from './route.js'

/** Size of the pieces that a body is written in. */
const PIECE_BYTES = 256 * 1024

function splitIntoPieces(body: BodyBytes): Buffer[] {
  const pieces: Buffer[] = []
  for (const part of Buffer.isBuffer(body) ? [body] : (body as readonly Buffer[])) {
    for (let at = 0; at < part.length; at += PIECE_BYTES) pieces.push(part.subarray(at, at + PIECE_BYTES))
  }
  return pieces
}

/** Always looks alive, so that every upstream error is reported. */
class StubSocket implements ClientConnection {
  readonly destroyed = false
  readonly writable = true
  readonly remoteAddress: string | undefined
  readonly encrypted: boolean

  constructor({ remoteAddress, encrypted }: ClientConnection) {
    this.remoteAddress = remoteAddress
    this.encrypted = encrypted
  }
}

/**
 * Replaces the client's request for http-proxy-middleware. It has everything that an upstream request is made from, and
 * nothing that would let the middleware touch the client's connection.
 */
export class StubRequest extends EventEmitter {
  readonly method: string
  url: string
  readonly headers: IncomingHttpHeaders
  readonly httpVersion = '1.1'
  readonly httpVersionMajor = 1
  readonly socket: StubSocket
  readonly connection: StubSocket
  /**
   * The attempt that sends it. A WeakMap instead of a property would, under load, cost more than the rest of an
   * attempt.
   */
  attempt: object | undefined

  readonly #path: string
  readonly #route: Route
  readonly #waitsForSocket: boolean
  #body: BodyBytes | IncomingMessage | undefined
  readonly #onChunk: (chunk: Buffer) => void
  readonly #onSent: () => void
  #onData: ((chunk: Buffer) => void) | undefined
  #isReleased = false

  /**
   * @param onChunk called with each chunk of a body that passes unbuffered
   * @param onSent called after a buffered body has been written completely
   * @param waitsForSocket whether to write nothing until the request has a connection
   */
  constructor(
    request: UpstreamRequest,
    route: Route,
    onChunk: (chunk: Buffer) => void,
    onSent: () => void = () => {},
    waitsForSocket = route.mayUseProxy,
  ) {
    super()
    this.#route = route
    this.#waitsForSocket = waitsForSocket
    this.method = request.method
    // A copy, because http-proxy-middleware may write to `url`.
    this.url = this.#path = request.url
    this.headers = request.headers
    this.socket = this.connection = new StubSocket(request.client)
    this.#body = request.body
    this.#onChunk = onChunk
    this.#onSent = onSent
  }

  /**
   * Sends the body upstream: at once if it is buffered, as it arrives if it passes through.
   *
   * Agents for a forward proxy rewrite the head when they connect. If a part of the body were already queued, Node
   * would take the rewritten head for one that has not been sent. With such agents, the body waits for its connection.
   */
  pipe<T extends Writable & { path?: unknown; socket?: unknown }>(upstream: T): T {
    this.keepPath(upstream)
    if (!this.#waitsForSocket || upstream.socket) {
      this.#send(upstream)
    } else {
      // Pausing the body marks an upload that stands still in the meantime as not the client's fault.
      const body = this.#body
      if (body && !isInMemory(body)) body.pause()
      upstream.once('socket', () => this.#send(upstream))
    }
    return upstream
  }

  /** Makes the upstream request use our path, on our target. */
  keepPath(upstream: { path?: unknown }): void {
    pinPath(upstream, this.#path, this.#route)
  }

  #send(upstream: Writable): void {
    const body = this.#body
    if (this.#isReleased) return
    if (!body || isInMemory(body)) return this.#write(upstream, body ?? [])
    // No ReadThrottle here: the pipe pauses by itself, and the throttle would resume a connection that the pipe has
    // paused.
    this.#onData = this.#onChunk
    body.on('data', this.#onData)
    body.pipe(upstream)
  }

  /** Writes a long body in pieces, because TLS encrypts everything that it is given at once. */
  #write(upstream: Writable, body: BodyBytes): void {
    const pieces = splitIntoPieces(body)
    let next = 0
    const writeOn = (): void => {
      if (next < pieces.length - 1 && !this.#isReleased) {
        // A fast provider accepts piece after piece, so let the event loop go round between them.
        const onTaken = () => setImmediate(writeOn)
        if (upstream.write(pieces[next++])) return void onTaken()
        return void upstream.once('drain', onTaken)
      }
      if (this.#isReleased) return
      upstream.end(pieces[next])
      this.#body = undefined
      this.#onSent()
    }
    writeOn()
  }

  /** Releases the body. What still arrives is read and discarded, so that the client's connection can be reused. */
  release(): void {
    this.#isReleased = true
    const body = this.#body
    this.#body = undefined
    if (!body || isInMemory(body)) return
    if (this.#onData) body.off('data', this.#onData)
    body.unpipe()
    body.resume()
  }
}

/**
 * Replaces the client's response for http-proxy-middleware. It is never written to. The middleware only checks whether
 * it has ended, and listens for its `close`.
 */
export class StubResponse extends EventEmitter {
  readonly headersSent = false
  finished = false
  writableFinished = false
  destroyed = false

  /**
   * Does nothing. Some versions destroy the response when the upstream aborts, but the client's response is ours to
   * end.
   */
  destroy(): this {
    return this
  }

  setHeader(): this {
    return this
  }

  end(): this {
    return this
  }

  /** Ends the attempt for http-proxy-middleware, as if the client had received everything, or had disconnected. */
  close(complete: boolean): void {
    if (this.destroyed) return
    this.destroyed = this.finished = true
    this.writableFinished = complete
    this.emit('close')
  }
}
