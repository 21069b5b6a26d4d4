import http, { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { cert, key } from './certificate.js'
import { closed, Queue, within } from './waiting.js'

/** Registers clean-up functions that run after a test. */
export type Owner = Pick<TestContext, 'after'>

/** A request that has arrived at the provider, and the ways to answer it. */
export class Call {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly socket: Socket
  /** The whole body. Rejects if it broke off. */
  readonly body: Promise<string>
  received = ''

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.req = req
    this.res = res
    this.socket = req.socket
    res.on('error', () => {})
    this.body = new Promise<string>((resolve, reject) => {
      req.setEncoding('latin1')
      req.on('data', (text: string) => {
        this.received += text
      })
      req.on('end', () => resolve(this.received))
      req.on('close', () => reject(new Error('the request body broke off')))
    })
    this.body.catch(() => {})
  }

  get url(): string {
    return this.req.url ?? ''
  }

  get headers(): IncomingMessage['headers'] {
    return this.req.headers
  }

  get text(): Promise<string> {
    return within(this.body, 'the whole request body')
  }

  /** Resolves when its connection has closed. */
  get gone(): Promise<void> {
    return closed(this.socket, "the provider's connection")
  }

  /** Sends the head of an event stream, and each event as one chunk. */
  sse(events: readonly string[] = [], headers: OutgoingHttpHeaders = {}): this {
    this.res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', ...headers })
    this.res.flushHeaders()
    for (const event of events) this.send(event)
    return this
  }

  send(bytes: string | Buffer): this {
    this.res.write(bytes)
    return this
  }

  end(bytes?: string | Buffer): void {
    this.res.end(bytes)
  }

  json(status: number, body: unknown, headers: OutgoingHttpHeaders = {}): void {
    this.res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  }

  /** Sends raw bytes, bypassing HTTP. */
  raw(bytes: string): this {
    this.socket.write(bytes, 'latin1')
    return this
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** Writes as fast as the proxy reads, until the connection is closed. */
  async flood(piece: string | Buffer): Promise<void> {
    while (!this.socket.destroyed) {
      if (this.res.write(piece)) continue
      await new Promise<void>((resolve) => {
        const done = () => {
          this.res.off('drain', done).off('close', done)
          resolve()
        }
        this.res.on('drain', done).on('close', done)
      })
    }
  }
}

export interface Provider {
  readonly url: string
  readonly port: number
  /** Every request so far. */
  readonly calls: readonly Call[]
  /** All connections so far. */
  readonly connections: readonly Socket[]
  /** The next request to arrive. */
  next(): Promise<Call>
}

interface ProviderOptions {
  tls?: boolean
  /** Answers each request as it arrives. By default the test takes requests from `next()`. */
  onCall?: (call: Call) => unknown
}

/** Starts a provider that the test controls. */
export async function startProvider(t: Owner, { tls, onCall }: ProviderOptions = {}): Promise<Provider> {
  const queue = new Queue<Call>('a request at the provider')
  const connections: Socket[] = []
  const onRequest = (req: IncomingMessage, res: ServerResponse) => {
    const call = new Call(req, res)
    queue.push(call)
    onCall?.(call)
  }
  const server = tls ? https.createServer({ cert, key }, onRequest) : http.createServer(onRequest)
  server.keepAliveTimeout = 0
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    connections.push(socket)
    socket.on('error', () => {})
  })
  const port = await listen(t, server)
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    calls: queue.all,
    connections,
    next: () => queue.next(),
  }
}

/** Listens on a free port until the test is over. */
export async function listen(t: Owner, server: http.Server | https.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  t.after(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}
