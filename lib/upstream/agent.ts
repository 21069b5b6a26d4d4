import http, { type Agent, type AgentOptions, type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContextOptions } from 'node:tls'
import { debug } from '../util/debug.js'
import { Connection } from './connection.js'
import { IdleConnections } from './idle-connections.js'

/** Size of Node's reads from a socket. */
const READ_BYTES = 64 * 1024

/** `onread` of `net.connect()` and `tls.connect()`. */
interface OnRead {
  buffer: Uint8Array
  callback(bytes: number, buffer: Uint8Array): boolean
}

/**
 * Creates an agent that keeps connections alive and reads all of them into one shared buffer.
 *
 * By default Node allocates 64 KiB for each read. A tenth of a bursting stream's CPU time goes into those allocations
 * and their collection. A shared buffer is safe because we pass on a copy before the callback returns.
 *
 * @param protocol of the target
 * @param tls options of `tls.connect()`
 * @param maxSockets maximum number of connections to the target; further requests would wait for one
 * @param fastPath `false` leaves it to Node to read
 */
export function createAgent(
  protocol: string,
  tls: SecureContextOptions | undefined,
  maxSockets = Number.POSITIVE_INFINITY,
  fastPath = true,
): Agent {
  const { Agent } = protocol === 'https:' ? https : http
  const agent = new Agent({ ...tls, keepAlive: true, maxSockets })
  limitIdleTime(agent)
  if (fastPath) readIntoOneBuffer(agent)
  return agent
}

/**
 * Makes an agent read all its connections into one buffer, through {@link Connection}. If Node's HTTP client turns out to
 * listen to a connection in another way than that relies on, the agent's further connections are Node's alone.
 */
function readIntoOneBuffer(agent: Agent): void {
  let isUnderstood = true
  const onUnexpectedClient = () => {
    if (isUnderstood) debug.upstream("Node's HTTP client listens in an unknown way: fastPath is off from here on")
    isUnderstood = false
  }
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  const connect = agent.createConnection as (options: AgentOptions, ...rest: unknown[]) => Duplex
  agent.createConnection = (options: AgentOptions & { onread?: OnRead }, ...rest: unknown[]) => {
    if (!isUnderstood) return connect.call(agent, options, ...rest)
    const callback = (bytes: number): boolean => connection.read(buffer.subarray(0, bytes))
    const socket: Socket = connect.call(agent, { ...options, onread: { buffer, callback } }, ...rest) as Socket
    const connection = new Connection(socket, onUnexpectedClient)
    return socket
  }
}

/** The agent's hook for pooled connections: https://nodejs.org/api/http.html#agentkeepsocketalivesocket */
interface Pool {
  keepSocketAlive(socket: Socket & { readonly _httpMessage?: { readonly res?: IncomingMessage } }): boolean
}

/**
 * Closes connections that stay idle too long. The agent's own `timeout` would also apply to connections in use, where
 * it ends nothing and costs time at every read and write.
 */
function limitIdleTime(agent: Agent): void {
  const pool = agent as unknown as Pool
  const idle = new IdleConnections(agent)
  const { keepSocketAlive } = pool
  pool.keepSocketAlive = (socket) => {
    const isKept = keepSocketAlive.call(agent, socket)
    if (isKept) idle.add(socket, socket._httpMessage?.res)
    return isKept
  }
}
