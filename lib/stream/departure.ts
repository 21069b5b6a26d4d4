import type { IncomingMessage, ServerResponse } from 'node:http'

/** The client's side of an exchange is done with. */
export function hasDeparted(req: IncomingMessage, res: ServerResponse): boolean {
  return res.closed || req.socket.destroyed
}

/**
 * Whether the response has gone out whole. Node says that (`writableFinished`, 'finish') also of one whose last bytes
 * were thrown away with its connection.
 */
export function hasGoneOut(req: IncomingMessage, res: ServerResponse): boolean {
  return res.writableFinished && !req.socket.destroyed
}

/**
 * Calls back once when the client's side of an exchange is done with: the response has gone out whole
 * (`hasGoneOut`), or the client has left, be it before this was called.
 *
 * The response's `close` is the truth for all phases. (The request's comes as soon as its body has been read.) But a
 * response that waits in a pipeline behind another one never hears of its connection's end.
 *
 * @returns stops watching
 */
export function onDeparture(req: IncomingMessage, res: ServerResponse, onGone: () => void): () => void {
  const { socket } = req
  let isWatching = true
  const stop = () => {
    isWatching = false
    res.off('close', gone)
    socket.off('close', gone)
  }
  const gone = () => {
    if (!isWatching) return
    stop()
    onGone()
  }
  res.once('close', gone)
  if (!res.socket) socket.once('close', gone)
  if (hasDeparted(req, res)) process.nextTick(gone)
  return stop
}
