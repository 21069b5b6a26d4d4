import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { countWaiting, hasDisconnected } from '../response/disconnect.js'

/** Each costs about 20 KiB; no client that pipelines has this many requests waiting for one that is not answered. */
const MAX_WAITING = 100

/** How much is read of a rejected body, so that the client can read the reason. */
const MAX_DISCARDED_BYTES = 1024 * 1024

/**
 * Returns whether an earlier request of the same connection is not answered yet. Node then gives the response no
 * socket.
 */
export function isBehindAnother({ res, client }: Exchange): boolean {
  return res.socket === null && !hasDisconnected(client)
}

/** Connections that were closed because too many requests waited on them. */
const closed = new WeakSet<Socket>()

/**
 * Returns whether a request came on a connection that has been closed because of those before it. One read of a connection
 * may bring a thousand, of which nobody would get the answers: nothing is done for them.
 */
export function isBehindClosedPipeline({ socket }: IncomingMessage): boolean {
  return socket.destroyed && closed.has(socket)
}

/**
 * Closes the connection of a request that waits for too many others. This must happen as it arrives: while it waits
 * for its turn, any number may arrive after it.
 *
 * @returns whether the connection was closed
 */
export function endsPipeline(exchange: Exchange): boolean {
  const { socket } = exchange.client
  if (countWaiting(socket) <= MAX_WAITING || !isBehindAnother(exchange)) return false
  // An answer would have to wait as well, and cost as much.
  exchange.settle('rejected', tooLong('Too many requests wait on this connection'))
  closed.add(socket)
  socket.destroy()
  return true
}

/**
 * Waits until all earlier requests of the connection are answered. Nothing of the exchange happens before: one
 * connection must not open a provider connection for each request that fits into its pipeline.
 *
 * @throws AiProxyError `pipeline_too_long` if waiting would hide that the client leaves
 */
export async function awaitEarlierRequests(exchange: Exchange): Promise<void> {
  if (!fitsInBuffer(exchange)) {
    discardBody(exchange)
    throw tooLong('A request with such a body needs its own connection')
  }
  await new Promise((resolve) => exchange.res.once('socket', resolve))
}

/**
 * Returns whether Node can buffer the body without pausing the connection. While paused, Node does not notice that the
 * client leaves, which may happen while an earlier request waits for the provider.
 */
function fitsInBuffer({ req }: Exchange): boolean {
  if (req.headers['transfer-encoding'] !== undefined) return false
  return Number(req.headers['content-length'] ?? 0) < req.readableHighWaterMark
}

/** Keeps reading the connection, within limits. */
function discardBody({ req }: Exchange): void {
  let bytes = 0
  req.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_DISCARDED_BYTES) req.socket.destroy()
  })
}

function tooLong(message: string): AiProxyError {
  return new AiProxyError('pipeline_too_long', message)
}
