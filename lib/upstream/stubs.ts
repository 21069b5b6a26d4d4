import { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Writable } from 'node:stream'
import { type BodyBytes, isInMemory } from '../request/body-bytes.js'
import type { UpstreamRequest } from '../request/upstream-request.js'
import { pinPath, type Route } from './route.js'

/** How much of a body is written at once. */
const PIECE_BYTES = 256 * 1024

function splitIntoPieces(body: BodyBytes): Buffer[] {
  const pieces: Buffer[] = []
  for (const part of Buffer.isBuffer(body) ? [body] : (body as readonly Buffer[])) {
    for (let at = 0; at < part.length; at += PIECE_BYTES) pieces.push(part.subarray(at, at + PIECE_BYTES))
  }
  return pieces
}

/**
 * The request that http-proxy-middleware gets in place of the client's: it has what an upstream request is made of, and
 * nothing that would let the middleware touch the client's connection.
 */
export class StubRequest extends EventEmitter {
  readonly method: string
  url: string
  readonly headers: IncomingHttpHeaders
  readonly httpVersion = '1.1'
  readonly httpVersionMajor = 1
  /** Looks alive always, so that every upstream error is reported as one. */
  readonly socket: object
  readonly connection: object
  /** What it is sent by. A property, not a WeakMap: under load, that costs more than all the rest of an attempt. */
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
   * @param onSent called once a body that is held has been written to its end
   * @param waitsForSocket nothing is written before it is known by which connection it goes
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
    // Its own copy: http-proxy-middleware may write to `url`.
    this.url = this.#path = request.url
    this.headers = request.headers
    this.socket = this.connection = { ...request.client, destroyed: false, writable: true }
    this.#body = request.body
    this.#onChunk = onChunk
    this.#onSent = onSent
  }

  /**
   * Sends the body upstream: at once where it is held, as it comes in where it passes.
   *
   * Agents for a forward proxy write the head anew when they connect, and Node would take a head that is behind a part of
   * the body for one that has not gone out: with them, the body waits for its connection.
   */
  pipe<T extends Writable & { path?: unknown; socket?: unknown }>(upstream: T): T {
    this.keepPath(upstream)
    if (!this.#waitsForSocket || upstream.socket) {
      this.#send(upstream)
    } else {
      // An upload that stands still meanwhile is not the client's fault, which a paused body says.
      const body = this.#body
      if (body && !isInMemory(body)) body.pause()
      upstream.once('socket', () => this.#send(upstream))
    }
    return upstream
  }

  /** Has the upstream request ask for our path, of our target. */
  keepPath(upstream: { path?: unknown }): void {
    pinPath(upstream, this.#path, this.#route)
  }

  #send(upstream: Writable): void {
    const body = this.#body
    if (this.#isReleased) return
    if (!body || isInMemory(body)) return this.#write(upstream, body ?? [])
    // No brake: the pipe stops reading by itself, and a brake would resume a connection that it has paused.
    this.#onData = this.#onChunk
    body.on('data', this.#onData)
    body.pipe(upstream)
  }

  /** Writes a long body in pieces, because TLS encrypts at once all that it is given. */
  #write(upstream: Writable, body: BodyBytes): void {
    const pieces = splitIntoPieces(body)
    let next = 0
    const writeOn = (): void => {
      if (next < pieces.length - 1 && !this.#isReleased) {
        // A fast provider takes piece after piece: the event loop goes round between them.
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

  /** Lets go of the body. What still comes in is read and thrown away: the client's connection can be used again. */
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
 * The response that http-proxy-middleware gets in place of the client's. It is never written to: it is there to be asked
 * whether it has ended, and to say when.
 */
export class StubResponse extends EventEmitter {
  readonly headersSent = false
  finished = false
  writableFinished = false
  destroyed = false

  /** Some versions destroy the response when the upstream breaks off. What becomes of the client's is ours to decide. */
  destroy(): this {
    return this
  }

  setHeader(): this {
    return this
  }

  end(): this {
    return this
  }

  /** Ends the attempt for http-proxy-middleware: as if the client had got everything, or had left. */
  close(complete: boolean): void {
    if (this.destroyed) return
    this.destroyed = this.finished = true
    this.writableFinished = complete
    this.emit('close')
  }
}
