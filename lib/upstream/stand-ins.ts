import { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Writable } from 'node:stream'
import { type BodyBytes, isInMemory } from '../request/body-bytes.js'

/** What http-proxy-middleware may know of the client's connection. */
interface ClientSide {
  readonly remoteAddress: string | undefined
  readonly encrypted: boolean
}

/** How much of a body is written at once. */
const PIECE_BYTES = 256 * 1024

function piecesOf(body: BodyBytes): Buffer[] {
  const pieces: Buffer[] = []
  for (const part of Buffer.isBuffer(body) ? [body] : (body as readonly Buffer[])) {
    for (let at = 0; at < part.length; at += PIECE_BYTES) pieces.push(part.subarray(at, at + PIECE_BYTES))
  }
  return pieces
}

/** What a stand-in request says upstream. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query, from the root of the target's host. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: BodyBytes | IncomingMessage | undefined
  readonly client: ClientSide
}

/**
 * The request that http-proxy-middleware gets in place of the client's: it has what an upstream request is made of, and
 * nothing that would let the middleware touch the client's connection.
 */
export class StandInRequest extends EventEmitter {
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
  #body: BodyBytes | IncomingMessage | undefined
  readonly #onChunk: (chunk: Buffer) => void
  readonly #onSent: () => void
  #onData: ((chunk: Buffer) => void) | undefined
  #isReleased = false

  /**
   * @param onChunk called with each chunk of a body that passes unbuffered
   * @param onSent called once a body that is held has been written to its end
   */
  constructor(request: UpstreamRequest, onChunk: (chunk: Buffer) => void, onSent: () => void = () => {}) {
    super()
    this.method = request.method
    // Its own copy: http-proxy-middleware may write to `url`.
    this.url = this.#path = request.url
    this.headers = request.headers
    this.socket = this.connection = { ...request.client, destroyed: false, writable: true }
    this.#body = request.body
    this.#onChunk = onChunk
    this.#onSent = onSent
  }

  /** Sends the body upstream: at once where it is held, as it comes in where it passes. */
  pipe<T extends Writable>(upstream: T): T {
    this.#sendTo(upstream)
    const body = this.#body
    if (!body || isInMemory(body)) {
      this.#write(upstream, body ?? [])
    } else if (!this.#isReleased) {
      // No brake: the pipe stops reading by itself, and a brake would resume a connection that it has paused.
      this.#onData = this.#onChunk
      body.on('data', this.#onData)
      body.pipe(upstream)
    }
    return upstream
  }

  /**
   * Puts our path in the place of the one that http-proxy-middleware has made of it: version 3 turns `http:/` into `http://`
   * and encodes anew. What was checked is what is sent. An agent for a forward proxy may have put an origin before it.
   */
  #sendTo(upstream: Writable & { path?: unknown }): void {
    if (typeof upstream.path !== 'string' || upstream.path === this.#path) return
    const origin = /^https?:\/\/[^/?]*/i.exec(upstream.path)?.[0] ?? ''
    upstream.path = origin + this.#path
  }

  /** Writes a long body in pieces, because TLS encrypts at once all that it is given. */
  #write(upstream: Writable, body: BodyBytes): void {
    const pieces = piecesOf(body)
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
export class StandInResponse extends EventEmitter {
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
