import { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { countWaiting, hasDisconnected } from '../response/disconnect.js'

/** Each costs some 20 KiB; no client that pipelines at all has so many requests behind one that is not answered. */
const MAX_WAITING = 100

/** What is read of a body that is refused, so that the client gets to read why. */
const MAX_DISCARDED_BYTES = 1024 * 1024

/** Whether an earlier request of the same connection is still to be answered. Then Node gives the response no socket. */
export function isBehindAnother({ req, res }: Exchange): boolean {
  return res.socket === null && !hasDisconnected(req, res)
}

/**
 * Waits until all that the client has asked before on this connection is answered. Nothing of the exchange happens before:
 * one connection must not open a provider connection for each request that fits into its pipeline.
 *
 * @throws AiProxyError `pipeline_too_long`, where to wait would cost too much, or hide it when the client leaves
 */
export async function awaitEarlierRequests(exchange: Exchange): Promise<void> {
  const { req, res } = exchange
  if (countWaiting(req.socket) > MAX_WAITING) {
    // An answer would have to wait as well, and would cost as much.
    exchange.settle('rejected', tooLong('Too many requests wait on this connection'))
    req.socket.destroy()
    return
  }
  if (!fitsInBuffer(exchange)) {
    discardBody(exchange)
    throw tooLong('A request with such a body needs a connection of its own')
  }
  await new Promise((resolve) => res.once('socket', resolve))
}

/**
 * Whether Node keeps the body without stopping to read the connection. While it does not read, it does not see the client
 * leave, which may be while an earlier request waits for the provider.
 */
function fitsInBuffer({ req }: Exchange): boolean {
  if (req.headers['transfer-encoding'] !== undefined) return false
  return Number(req.headers['content-length'] ?? 0) < req.readableHighWaterMark
}

/** Goes on reading the connection, within bounds. */
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
