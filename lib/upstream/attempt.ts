import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { UpstreamRequest } from '../request/upstream-request.js'
import { Connection } from './connection.js'
import type { Route } from './route.js'
import { StubRequest, StubResponse } from './stubs.js'

/** Told what becomes of an attempt; of `onResponse` and `onError` one is called, once, and none after `end`. */
export interface AttemptEvents {
  /** The connection to the provider stands, and the request goes out. */
  onConnect(): void
  onResponse(response: IncomingMessage): void
  onError(error: Error, attempt: Attempt): void
  /** A chunk of a body that passes unbuffered. */
  onRequestChunk(chunk: Buffer): void
  /** A body that is held has been written to its end: this attempt needs it no more. */
  onRequestSent?(): void
}

export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => unknown

// A connection that the provider had closed while it was in the pool says so about a round trip after it was taken.
const STALE_WITHIN_MS = 100

/** So many interim answers (1xx) may come before the answer. */
const MAX_INTERIM_RESPONSES = 100

/** One try at one target, through http-proxy-middleware. */
export class Attempt {
  readonly #events: AttemptEvents
  readonly #stubRequest: StubRequest
  readonly #stubResponse = new StubResponse()
  #openedAt = 0
  /** Interim answers so far. */
  #interimResponses = 0
  #bytesReadBefore = 0
  #upstream: ClientRequest | undefined
  #response: IncomingMessage | undefined
  #settled = false
  #ended = false
  /** The connection stood; what fails from then on is the provider breaking off. */
  connected = false
  /** It needs a connection of its own and was given one of the pool, which is closed now: nothing has been sent. */
  gotPooledConnection = false
  readonly #route: Route
  readonly #needsNewConnection: boolean

  /** @param needsNewConnection only a connection that no request has gone by will do */
  constructor(request: UpstreamRequest, events: AttemptEvents, route: Route, needsNewConnection = false) {
    this.#events = events
    this.#route = route
    this.#needsNewConnection = needsNewConnection
    this.#stubRequest = new StubRequest(
      request,
      route,
      (chunk) => events.onRequestChunk(chunk),
      () => events.onRequestSent?.(),
      needsNewConnection || route.mayUseProxy,
    )
    this.#stubRequest.attempt = this
  }

  start(proxy: Middleware): void {
    const req = this.#stubRequest as unknown as IncomingMessage
    proxy(req, this.#stubResponse as unknown as ServerResponse, (error) => {
      this.handleError(error instanceof Error ? error : new Error('http-proxy-middleware did not take the request'))
    })
  }

  /**
   * The connection came from the pool and was dead: it broke at once, without a byte of an answer. That the provider did
   * not see the request is as good as certain, not certain; it is what Node's documentation of `reusedSocket` advises.
   */
  isStale(error: NodeJS.ErrnoException): boolean {
    const { reusedSocket, socket } = this.#upstream ?? {}
    const isBreak = error.code === 'ECONNRESET' || error.code === 'EPIPE'
    const isAtOnce = performance.now() - this.#openedAt < STALE_WITHIN_MS
    return isBreak && isAtOnce && reusedSocket === true && socket?.bytesRead === this.#bytesReadBefore
  }

  /**
   * Ends the attempt, in any phase. A connection whose response did not come to its end, or whose request was not sent to
   * its end, is closed and never used again.
   */
  end(): void {
    if (this.#ended) return
    this.#ended = this.#settled = true
    const complete = this.#response?.readableEnded === true && this.#upstream?.writableFinished === true
    if (!complete) {
      this.#upstream?.destroy()
      // Version 3 listens for this while there is no connection yet, version 4 for the response's `close`.
      this.#stubRequest.emit('aborted')
    }
    this.#stubResponse.close(complete)
    this.#stubRequest.release()
  }

  /** The upstream request is made, and about to be given to the agent, which may write its head. */
  handleCreated(upstream: ClientRequest): void {
    this.#stubRequest.keepPath(upstream)
  }

  handleRequest(upstream: ClientRequest): void {
    this.#upstream = upstream
    if (this.#ended) {
      upstream.destroy()
      return
    }
    if (this.#needsNewConnection && upstream.reusedSocket) {
      this.gotPooledConnection = true
      return this.handleError(new Error('a pooled connection is not what is needed'))
    }
    // Some answers (101) end a connection without a word: no response, no error.
    upstream.once('close', () => {
      if (!this.#settled) this.handleError(new Error('the connection was closed without an answer'))
    })
    upstream.on('information', this.#onInterim)
    const { socket } = upstream
    this.#openedAt = performance.now()
    this.#bytesReadBefore = socket?.bytesRead ?? 0
    if (upstream.reusedSocket || !isConnecting(socket)) this.#connected()
    else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => this.#connected())
  }

  handleResponse(response: IncomingMessage): void {
    // Also where nobody listens any more: an error without a listener would end the process.
    response.on('error', () => {})
    if (this.#settled) {
      response.destroy()
      return
    }
    if (this.#route.mayUseProxy && isProxyResponse(response, this.#route)) {
      response.destroy()
      this.connected = false
      const statusLine = `${response.statusCode} ${response.statusMessage}`.trim()
      return this.handleError(new Error(`the proxy in front of the provider answered ${statusLine}`))
    }
    this.#settled = true
    this.#response = response
    if (this.#upstream && hasNoBody(this.#upstream.method, response.statusCode)) {
      // A provider that sends a body all the same would answer the next request with it: this is the connection's last.
      this.#upstream.shouldKeepAlive = false
    }
    Connection.of(response)?.handleResponse(response)
    this.#events.onResponse(response)
  }

  handleError(error: Error): void {
    // Node puts the bytes there that it could not parse, of a buffer that all connections share; they are for no log.
    delete (error as { rawPacket?: unknown }).rawPacket
    if (this.#settled) return
    this.#settled = true
    this.#events.onError(error, this)
  }

  readonly #onInterim = (): void => {
    if (++this.#interimResponses > MAX_INTERIM_RESPONSES)
      this.#upstream?.destroy(new Error('too many interim answers (1xx) came'))
  }

  #connected(): void {
    this.connected = true
    if (!this.#settled) this.#events.onConnect()
  }
}

/** TLS through the tunnel of a proxy begins on a socket that is connected already. */
function isConnecting(socket: Socket | null): socket is Socket {
  return socket !== null && (socket.connecting || (socket as { secureConnecting?: boolean }).secureConnecting === true)
}

/**
 * Whether the answer is that of a forward proxy, which would not let the request through. Agents give its answer to CONNECT
 * on a socket that was never connected; to a request without TLS the proxy answers in the provider's place, with a status
 * that is a proxy's alone. Through a tunnel that status is the provider's.
 */
function isProxyResponse({ socket, statusCode }: IncomingMessage, { origin }: Route): boolean {
  const isNoConnection =
    socket instanceof Socket && !('encrypted' in socket) && socket.pending && socket.bytesRead === 0
  return (statusCode === 407 && origin.startsWith('http:')) || isNoConnection
}

/** An answer without a body, whatever its head says (RFC 9112, 6.3). */
function hasNoBody(method: string, status: number | undefined): boolean {
  return method === 'HEAD' || status === 204 || status === 304
}

/** The attempt that a stand-in request belongs to. */
export function attemptOf(request: object): Attempt | undefined {
  return (request as { attempt?: Attempt }).attempt
}
