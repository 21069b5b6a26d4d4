import http, { type Agent, type AgentOptions } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContextOptions } from 'node:tls'
import { Connection } from './connection.js'

// Idle connections go before load balancers' usual 60 s, so that few requests meet one that the other side has closed.
const IDLE_CONNECTION_MS = 30_000

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
 */
export function createAgent(protocol: string, tls: SecureContextOptions | undefined): Agent {
  const { Agent } = protocol === 'https:' ? https : http
  const agent = new Agent({ ...tls, keepAlive: true, timeout: IDLE_CONNECTION_MS })
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
