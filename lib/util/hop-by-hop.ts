/** Headers that apply to a single connection and are never forwarded (RFC 9110, 7.6.1), in requests and responses. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** Returns whether a header, given by its lower-case name, applies to a single connection. */
export function isHopByHop(name: string): boolean {
  return hopByHop.has(name)
}

/** Returns the lower-case names of further headers that a `connection` header makes hop-by-hop. */
export function namedByConnection(connection: string | undefined): readonly string[] {
  return connection?.split(',').map((name) => name.trim().toLowerCase()) ?? []
}

/**
 * Returns whether HTTP uses a header to find where a message ends. Set by hand, it would desynchronise a pooled
 * connection.
 */
export function isFramingHeader(name: string): boolean {
  return isHopByHop(name) || name === 'content-length' || name === 'expect'
}
