import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { UpstreamRequest } from '../request/upstream-request.js'
import { Connection } from './connection.js'
import type { Route } from './route.js'
import { StubRequest, StubResponse } from './stubs.js'

/** Callbacks of an attempt. At most one of `onResponse` and `onError` is called, once, and never after `end()`. */
export interface AttemptEvents {
  /** The connection to the provider is established, and the request goes out. */
  onConnect(): void
  onResponse(response: IncomingMessage): void
  onError(error: Error, attempt: Attempt): void
  /** Called with each chunk of a body that passes unbuffered. */
  onRequestChunk(chunk: Buffer): void
  /** A buffered body has been written completely: this attempt no longer needs it. */
  onRequestSent?(): void
}

export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => unknown

// If the provider had closed a pooled connection, that shows about a round trip after the connection was taken.
const STALE_WITHIN_MS = 100

/** Maximum number of interim responses (1xx) before the response. */
const MAX_INTERIM_RESPONSES = 100

/** One attempt at one target, through http-proxy-middleware. */
export class Attempt {
  readonly #events: AttemptEvents
  readonly #stubRequest: StubRequest
  readonly #stubResponse = new StubResponse()
  #openedAt = 0
  /** Number of interim responses so far. */
  #interimResponses = 0
  #bytesReadBefore = 0
  #upstream: ClientRequest | undefined
  #response: IncomingMessage | undefined
  #settled = false
  #ended = false
  /** Whether the connection was established: any failure after that means that the provider broke off. */
  connected = false
  /** Whether it needed a new connection but got a pooled one, which is now closed. Nothing has been sent. */
  gotPooledConnection = false
  readonly #route: Route
  readonly #needsNewConnection: boolean

  /** @param needsNewConnection whether it needs a connection that has carried no request before */
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
      this.handleError(error instanceof Error ? error : new Error('http-proxy-middleware did not handle the request'))
    })
  }

  /**
   * Returns whether the attempt met a dead pooled connection: one that broke at once, without a byte of a response. It
   * is then almost certain, though not quite, that the provider did not see the request. Node's documentation of
   * `reusedSocket` advises a retry.
   */
  isStale(error: NodeJS.ErrnoException): boolean {
    const { reusedSocket, socket } = this.#upstream ?? {}
    const isBreak = error.code === 'ECONNRESET' || error.code === 'EPIPE'
    const isAtOnce = performance.now() - this.#openedAt < STALE_WITHIN_MS
    return isBreak && isAtOnce && reusedSocket === true && socket?.bytesRead === this.#bytesReadBefore
  }

  /**
   * Ends the attempt, in any phase. If the response was not read to its end or the request not sent to its end, the
   * connection is closed and never reused.
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

  /** Called when the upstream request exists, before the agent gets it and may write its head. */
  handleCreated(upstream: ClientRequest): void {
    this.#stubRequest.keepPath(upstream)
  }

  handleRequest(upstream: ClientRequest): void {
    this.#upstream = upstream
    Connection.of(upstream)?.handleRequest()
    if (this.#ended) {
      upstream.destroy()
      return
    }
    if (this.#needsNewConnection && upstream.reusedSocket) {
      this.gotPooledConnection = true
      return this.handleError(new Error('the request needs a new connection'))
    }
    // Some answers (101) close the connection without emitting `response` or `error`.
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
    // Needed even if nobody listens any more: an error without a listener would end the process.
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
      // A body that a provider sends anyway would be taken for the next response, so do not reuse the connection.
      this.#upstream.shouldKeepAlive = false
    }
    Connection.of(response)?.handleResponse(response)
    this.#events.onResponse(response)
  }

  handleError(error: Error): void {
    // Node attaches the bytes that it could not parse, from a buffer that all connections share. They must not be
    // logged.
    delete (error as { rawPacket?: unknown }).rawPacket
    // Node is about to end a body that only the end of its connection ends, as if the connection had not broken.
    if (!this.#ended && this.#response?.complete === false) this.#response.destroy(error)
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

/**
 * Returns whether a socket is connecting. TLS through a proxy's tunnel starts on a socket that is already connected.
 */
function isConnecting(socket: Socket | null): socket is Socket {
  return socket !== null && (socket.connecting || (socket as { secureConnecting?: boolean }).secureConnecting === true)
}

/**
 * Returns whether a response comes from a forward proxy that rejected the request. Agents deliver its answer to CONNECT
 * on a socket that was never connected. To a request without TLS, the proxy answers in the provider's place with 407,
 * which only proxies send. Through a tunnel, a 407 is the provider's.
 */
function isProxyResponse({ socket, statusCode }: IncomingMessage, { origin }: Route): boolean {
  const isNoConnection =
    socket instanceof Socket && !('encrypted' in socket) && socket.pending && socket.bytesRead === 0
  return (statusCode === 407 && origin.startsWith('http:')) || isNoConnection
}

/** Returns whether a response has no body, whatever its head says (RFC 9112, 6.3). */
function hasNoBody(method: string, status: number | undefined): boolean {
  return method === 'HEAD' || status === 204 || status === 304
}

/** Returns the attempt that a stub request belongs to. */
export function attemptOf(request: object): Attempt | undefined {
  return (request as { attempt?: Attempt }).attempt
}
