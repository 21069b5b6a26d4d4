import http, { type Agent, type AgentOptions, type ClientRequest } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContextOptions } from 'node:tls'
import { Connection } from './connection.js'

// Idle connections go before load balancers' usual 60 s, so that few requests meet one that the other side has closed.
const MAX_IDLE_MS = 30_000

/** What Node reads from a socket at once. */
const READ_BYTES = 64 * 1024

/** `onread` of `net.connect()` and `tls.connect()`. */
interface OnRead {
  buffer: Uint8Array
  callback(bytes: number, buffer: Uint8Array): boolean
}

/**
 * An agent that keeps connections alive, and reads all of them into one buffer.
 *
 * Node would allocate 64 KiB for each read. What is handed on is a copy, so that what was read is done with when the
 * callback returns; a tenth of a bursting stream's CPU time goes into those allocations and their collection.
 *
 * @param protocol of the target
 * @param tls options of `tls.connect()`
 * @param maxSockets connections to the target, at most; further requests would wait for one
 */
export function createAgent(
  protocol: string,
  tls: SecureContextOptions | undefined,
  maxSockets = Number.POSITIVE_INFINITY,
): Agent {
  const { Agent } = protocol === 'https:' ? https : http
  const agent = new Agent({ ...tls, keepAlive: true, maxSockets })
  limitIdleTime(agent)
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  const connect = agent.createConnection as (options: AgentOptions, ...rest: unknown[]) => Duplex
  agent.createConnection = (options: AgentOptions & { onread?: OnRead }, ...rest: unknown[]) => {
    const callback = (bytes: number): boolean => {
      connection.read(buffer.subarray(0, bytes))
      return true
    }
    const socket: Socket = connect.call(agent, { ...options, onread: { buffer, callback } }, ...rest) as Socket
    const connection = new Connection(socket)
    return socket
  }
  return agent
}

/** What an agent decides by itself and lets others decide: https://nodejs.org/api/http.html#agentkeepsocketalivesocket */
interface Pool {
  readonly options: { timeout?: number | undefined }
  keepSocketAlive(socket: Socket): boolean
  reuseSocket(socket: Socket, request: ClientRequest): void
}

/**
 * Closes connections that nobody uses for too long. The agent's own `timeout` would be on those in use as well, where it
 * ends nothing and costs at every read and write.
 */
function limitIdleTime(agent: Agent): void {
  const pool = agent as unknown as Pool
  const { keepSocketAlive, reuseSocket } = pool
  pool.keepSocketAlive = (socket) => {
    // For Node to set it, or the shorter one that the provider asks for (`keep-alive: timeout=…`).
    pool.options.timeout = MAX_IDLE_MS
    const isKept = keepSocketAlive.call(agent, socket)
    pool.options.timeout = undefined
    return isKept
  }
  pool.reuseSocket = (socket, request) => {
    socket.setTimeout(0)
    reuseSocket.call(agent, socket, request)
  }
}
