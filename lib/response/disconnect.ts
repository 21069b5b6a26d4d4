import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** The client's side of an exchange is done with. */
export function hasDisconnected(req: IncomingMessage, res: ServerResponse): boolean {
  return res.closed || req.socket.destroyed
}

/**
 * Whether the response has gone out whole; to be asked once the client's side is done with. It was ended then, and its
 * connection was not. (`writableFinished` is `true` also of one whose last bytes were thrown away with its connection, and
 * never `true` of responses whose socket is none of Node's, as on AWS Lambda.)
 */
export function hasBeenSent(req: IncomingMessage, res: ServerResponse): boolean {
  if (!res.writableEnded) return false
  // Where many streams share a connection (HTTP/2), each says by itself how it was closed: 0 is without an error.
  const { stream } = res as { stream?: { rstCode?: number; aborted?: boolean } }
  return stream?.rstCode === undefined ? !req.socket.destroyed : stream.rstCode === 0 && !stream.aborted
}

/**
 * Calls back once when the client's side of an exchange is done with: the response has gone out whole
 * (`hasBeenSent`), or the client has left, be it before this was called.
 *
 * The response's `close` is the truth for all phases. (The request's comes as soon as its body has been read.) But a
 * response that waits in a pipeline behind another one never hears of its connection's end, and one whose server is none
 * of Node's may hear of nothing but its own `finish`.
 *
 * @returns stops watching
 */
export function onDisconnect(req: IncomingMessage, res: ServerResponse, onClose: () => void): () => void {
  let isWatching = true
  let stopWaiting: (() => void) | undefined
  const stop = () => {
    isWatching = false
    res.off('close', gone).off('finish', finished)
    stopWaiting?.()
  }
  const gone = () => {
    if (!isWatching) return
    stop()
    onClose()
  }
  // A socket that writes at once has it told within `end()`, before the response counts as ended.
  const finished = () => {
    process.nextTick(() => {
      if (hasBeenSent(req, res)) gone()
    })
  }
  res.on('close', gone).on('finish', finished)
  if (!res.socket) stopWaiting = onceClosed(req.socket, gone)
  if (hasDisconnected(req, res)) process.nextTick(gone)
  return stop
}

/** Who is to hear of the end of a connection. */
const waiting = new WeakMap<Socket, Set<() => void>>()

/** How many responses wait, or have waited, behind others on a connection, and are not over. */
export function waitingOn(socket: Socket): number {
  return waiting.get(socket)?.size ?? 0
}

/**
 * Calls back when a connection ends; one listener hears it for all. A client may have any number of requests in its
 * pipeline, and where each had a listener, Node would warn of the eleventh as of a leak.
 *
 * @returns stops waiting
 */
function onceClosed(socket: Socket, tell: () => void): () => void {
  const all = waiting.get(socket) ?? new Set()
  if (all.size === 0) {
    waiting.set(socket, all)
    socket.once('close', tellAll)
  }
  all.add(tell)
  return () => {
    if (!all.delete(tell) || all.size > 0) return
    waiting.delete(socket)
    socket.off('close', tellAll)
  }
}

function tellAll(this: Socket): void {
  for (const tell of waiting.get(this) ?? []) tell()
}
