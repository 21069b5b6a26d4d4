import { type EventEmitter, once } from 'node:events'
import http, { type Agent, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import https from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { createAgent } from '../../lib/upstream/agent.js'
import { Connection } from '../../lib/upstream/connection.js'

/** A provider that answers by hand. */
interface Provider {
  readonly port: number
  /** The connection by which the next request has come. */
  asked(): Promise<Socket>
}

/** @param server by default one without TLS */
export async function provider(t: TestContext, server: Server = createServer()): Promise<Provider> {
  const sockets: Socket[] = []
  const waiting: Socket[] = []
  server.on('key' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.push(socket.setNoDelay())
    // A client that goes is no fault here.
    socket.on('error', () => {})
    socket.on('data', () => {
      waiting.push(socket)
      server.emit('asked')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    port: (server.address() as AddressInfo).port,
    async asked() {
      while (waiting.length === 0) await once(server, 'asked')
      return waiting.shift()!
    },
  }
}

/** Sends a request as `Attempt` does: the connection is told of the answer as soon as its head is there. */
export function ask(agent: Agent, options: RequestOptions): ClientRequest {
  const { request } = agent instanceof https.Agent ? https : http
  return request({ host: '127.0.0.1', servername: 'localhost', ...options, agent } as RequestOptions)
    .on('response', (response: IncomingMessage) => Connection.of(response)?.handleResponse(response))
    .end()
}

/** What a client sees of an answer. */
export interface Answer {
  reusedSocket: boolean
  /** The status codes of the interim responses. */
  interim: number[]
  status?: number | undefined
  headers?: string[]
  body: string
  complete?: boolean
  trailers?: string[]
  requestFailed: boolean
  responseFailed: boolean
}

/** What a provider answers to a request; each piece is one read of the client. */
export interface Script {
  method: string
  pieces: readonly Buffer[]
  insecureHTTPParser?: boolean
}

/**
 * Sends a request and has it answered. What is not complete then ends with the connection.
 *
 * @param onData is told of each piece of the body
 */
export async function exchange(
  agent: Agent,
  { port, asked }: Provider,
  script: Script,
  onData = (_piece: Buffer): void => {},
): Promise<Answer> {
  const { pieces, ...options } = script
  const request = ask(agent, { port, ...options })
  const answer: Answer = {
    reusedSocket: request.reusedSocket,
    interim: [],
    body: '',
    requestFailed: false,
    responseFailed: false,
  }
  let response: IncomingMessage | undefined
  let closed: Promise<unknown> = closeOf(request)
  request.on('information', ({ statusCode }) => answer.interim.push(statusCode))
  request.on('error', () => {
    answer.requestFailed = true
  })
  request.on('response', (incoming: IncomingMessage) => {
    response = incoming
    closed = Promise.all([closed, closeOf(incoming)])
    incoming.on('error', () => {
      answer.responseFailed = true
    })
    incoming.on('data', (piece: Buffer) => {
      answer.body += piece.toString('latin1')
      onData(piece)
    })
  })
  const server = await asked()
  const { socket } = request as { socket: Socket }
  let written = socket.bytesRead
  for (const piece of pieces) {
    server.write(piece)
    written += piece.length
    await until(() => socket.bytesRead >= written || socket.destroyed)
  }
  if (!response?.complete) server.end()
  await closed
  if (!response) return answer
  const { statusCode: status, rawHeaders: headers, complete, rawTrailers: trailers } = response
  return { ...answer, status, headers, complete, trailers }
}

/** @param asks with a new agent of ours, and with one of Node's */
export async function withBoth<T>(asks: (agent: Agent) => Promise<T>): Promise<{ ours: T; nodes: T }> {
  const agents = [createAgent('http:', undefined), new http.Agent({ keepAlive: true })] as const
  try {
    return { ours: await asks(agents[0]), nodes: await asks(agents[1]) }
  } finally {
    for (const agent of agents) agent.destroy()
  }
}

/** Lets the event loop turn until it is so; a fault must not make it turn for ever. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let turns = 100_000; !isSo(); turns--) {
    if (turns === 0) throw new Error(`never so: ${isSo}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Not `once()`: that would fail where there is an error first. */
function closeOf(emitter: EventEmitter): Promise<unknown> {
  return new Promise((resolve) => emitter.once('close', resolve))
}
