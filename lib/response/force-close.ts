import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Closes a response's connection in a way that no client takes for the end of a whole body. */
export function forceClose(res: ServerResponse): void {
  const { socket, chunkedEncoding } = res
  // To an HTTP/1.0 client a plain close marks a complete body, so reset the connection instead.
  if (socket && !chunkedEncoding && !res.hasHeader('content-length')) reset(socket)
  else res.destroy()
}

/** Resets a connection if it is plain TCP. Any other can only be closed; TLS then closes without its `close_notify`. */
function reset(socket: Socket): void {
  try {
    socket.resetAndDestroy()
  } catch {
    // Node throws for all others: https://nodejs.org/api/net.html#socketresetanddestroy
    socket.destroy()
  }
}
