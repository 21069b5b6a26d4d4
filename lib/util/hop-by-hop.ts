/** Headers that mean one connection and never the next (RFC 9110, 7.6.1), in requests and in responses. */
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

/** Whether a header, by its lower-case name, is one that every connection has of its own. */
export function isHopByHop(name: string): boolean {
  return hopByHop.has(name)
}

/** The headers that a `connection` header makes hop-by-hop besides, by their lower-case names. */
export function namedByConnection(connection: string | undefined): readonly string[] {
  return connection?.split(',').map((name) => name.trim().toLowerCase()) ?? []
}

/** Headers by which HTTP finds where a message ends: set by hand, they would put a pooled connection out of step. */
export function isFramingHeader(name: string): boolean {
  return isHopByHop(name) || name === 'content-length' || name === 'expect'
}
