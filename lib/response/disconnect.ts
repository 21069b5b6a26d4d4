import type { Socket } from 'node:net'
import type { ClientSide } from '../exchange/client-side.js'
import type { Exchange } from '../exchange/exchange.js'

/** Returns whether the client's side of an exchange has ended. */
export function hasDisconnected({ res, socket }: ClientSide): boolean {
  return socket.destroyed || res.closed
}

/** Returns whether a request may still go out: for its client or, once that has left, for those who read the answer. */
export function isAwaited({ client, isSettled, recorder }: Exchange): boolean {
  return hasDisconnected(client) ? recorder?.goesOn === true : !isSettled
}

/**
 * Returns whether the response was sent completely, once the client's side has ended: the response was ended, and its
 * connection was not. (`writableFinished` does not show it: it is also `true` if the last bytes were discarded with the
 * connection, and never `true` for responses with a socket that is not Node's, as on AWS Lambda.)
 */
export function hasBeenSent({ res, socket, isMultiplexed }: ClientSide): boolean {
  if (!res.writableEnded) return false
  if (!isMultiplexed) return !socket.destroyed
  // Each stream has its own close code: 0 means no error.
  const { stream } = res as { stream?: { rstCode?: number; aborted?: boolean } }
  return stream?.rstCode === undefined ? !socket.destroyed : stream.rstCode === 0 && !stream.aborted
}

/**
 * Calls back once when the client's side of an exchange ends: the response was sent completely (see `hasBeenSent`), or
 * the client has left, perhaps before this call.
 *
 * The response's `close` is reliable in all phases. (The request's is emitted as soon as its body has been read.) But a
 * response that waits in a pipeline is never notified of the end of its connection, and a response that was not made by
 * Node's server may emit only `finish`, even if it is a `ServerResponse` on a connection of its own.
 *
 * @returns a function that stops watching
 */
export function onDisconnect(client: ClientSide, onClose: (wasSent: boolean) => void): () => void {
  const { res, socket } = client
  let isWatching = true
  let stopWaiting: (() => void) | undefined
  const stop = () => {
    isWatching = false
    res.off('close', gone).off('finish', finished)
    stopWaiting?.()
  }
  const end = (wasSent: boolean) => {
    if (!isWatching) return
    stop()
    onClose(wasSent)
  }
  const gone = () => end(hasBeenSent(client))
  // A synchronous socket emits `finish` within `end()`, before the response counts as ended.
  const finished = () => {
    process.nextTick(() => {
      if (hasBeenSent(client)) end(true)
    })
  }
  res.on('close', gone).on('finish', finished)
  if (!res.socket) stopWaiting = onceClosed(socket, gone)
  if (hasDisconnected(client)) process.nextTick(gone)
  return stop
}

/** Listeners for the end of a connection. */
const waiting = new WeakMap<Socket, Set<() => void>>()

/** Returns how many responses on a connection wait, or have waited, for earlier ones, and have not ended. */
export function countWaiting(socket: Socket): number {
  return waiting.get(socket)?.size ?? 0
}

/**
 * Calls back when a connection ends; all responses share one listener. A client may pipeline any number of requests,
 * and with a listener for each, Node would warn of a leak at the eleventh.
 *
 * @returns a function that stops waiting
 */
function onceClosed(socket: Socket, listener: () => void): () => void {
  const all = waiting.get(socket) ?? new Set()
  if (all.size === 0) {
    waiting.set(socket, all)
    socket.once('close', notifyAll)
  }
  all.add(listener)
  return () => {
    if (!all.delete(listener) || all.size > 0) return
    waiting.delete(socket)
    socket.off('close', notifyAll)
  }
}

function notifyAll(this: Socket): void {
  for (const notify of waiting.get(this) ?? []) notify()
}
