import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** HTTP/2's code (RFC 9113, 7). */
const INTERNAL_ERROR = 2

/** Closes a response's connection such that no client takes it for the end of a complete body. */
export function forceClose(res: ServerResponse): void {
  const { socket, chunkedEncoding } = res
  // An HTTP/2 stream that is destroyed tells its client that there was no error.
  const { stream } = res as { stream?: { rstCode?: number; close(code: number): void } }
  if (stream?.rstCode !== undefined) return stream.close(INTERNAL_ERROR)
  // What was written in this tick may wait for the next one, and would be lost.
  while (socket && socket.writableCorked > 0) socket.uncork()
  // To an HTTP/1.0 client a plain close marks a complete body, so reset the connection instead.
  if (socket && !chunkedEncoding && !res.hasHeader('content-length')) reset(socket)
  else res.destroy()
}

/** Resets a plain TCP connection. Any other can only be closed; TLS then closes without its `close_notify`. */
function reset(socket: Socket): void {
  try {
    socket.resetAndDestroy()
  } catch {
    // Node throws for other sockets: https://nodejs.org/api/net.html#socketresetanddestroy
    socket.destroy()
  }
}
