import { AiProxyError } from '../api/errors.js'

/**
 * Rejects a request whose path, or whose method on that path, is not among the endpoints. TRACE is always rejected: a
 * server echoes the request it got, including our credentials (RFC 9110, 9.3.8).
 *
 * @throws AiProxyError `endpoint_not_allowed`, `method_not_allowed`
 */
export function admitEndpoint(methods: readonly string[] | 'any', method: string): void {
  if (method === 'TRACE') throw new AiProxyError('endpoint_not_allowed', 'TRACE is not forwarded')
  if (methods === 'any' || methods.includes(method)) return
  if (methods.length === 0) {
    const message = 'This endpoint is not allowed here (the option `endpoints` says which are)'
    throw new AiProxyError('endpoint_not_allowed', message)
  }
  // RFC 9110, 15.5.6 requires the list of supported methods.
  const headers = { allow: allowHeader(methods) }
  throw new AiProxyError('method_not_allowed', `This endpoint takes ${inWords(methods)}, not ${method}`, {
    headers,
  })
}

/** Joins names with commas and `and`. */
function inWords(names: readonly string[]): string {
  const last = names[names.length - 1]!
  return names.length === 1 ? last : `${names.slice(0, -1).join(', ')} and ${last}`
}

/** Returns the `allow` header for an endpoint. */
export function allowHeader(methods: readonly string[]): string {
  return [...methods, 'OPTIONS'].join(', ')
}

/**
 * Rejects requests for a WebSocket, because the proxy speaks HTTP to the provider. Clients that try a WebSocket first
 * (Codex) fall back to HTTP when they get 426.
 *
 * @throws AiProxyError `upgrade_required`
 */
export function rejectWebSocket(upgrade: string | undefined): void {
  if (upgrade === undefined || !/(?:^|,)\s*websocket\b/i.test(upgrade)) return
  const headers = { upgrade: 'HTTP/1.1', connection: 'Upgrade' }
  throw new AiProxyError('upgrade_required', 'WebSockets are not supported here: use HTTP, with a stream of events', {
    headers,
  })
}
