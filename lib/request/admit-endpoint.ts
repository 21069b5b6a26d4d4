import { AiProxyError } from '../api/errors.js'
/**
 * Refuses a request whose path, or whose method on that path, is not among the endpoints; and TRACE in any case, to which
 * a server answers with the request that it got, our credentials and all (RFC 9110, 9.3.8).
 *
 * @throws AiProxyError `endpoint_not_allowed`, `method_not_allowed`
 */
export function admitEndpoint(methods: readonly string[] | 'any', method: string): void {
  if (method === 'TRACE') throw new AiProxyError('endpoint_not_allowed', 'TRACE goes nowhere from here')
  if (methods === 'any' || methods.includes(method)) return
  if (methods.length === 0) {
    const message = 'This endpoint is not allowed here (the option `endpoints` says which are)'
    throw new AiProxyError('endpoint_not_allowed', message)
  }
  // RFC 9110, 15.5.6: it must say which methods there are.
  const headers = { allow: allowHeader(methods) }
  throw new AiProxyError('method_not_allowed', `This endpoint takes ${methods.join(' and ')}, not ${method}`, {
    headers,
  })
}

/** What `allow` says of an endpoint. */
export function allowHeader(methods: readonly string[]): string {
  return [...methods, 'OPTIONS'].join(', ')
}

/**
 * Refuses what asks for a WebSocket: it is HTTP that goes from here to the provider. Clients that try one first (Codex) go
 * on with HTTP when they get 426.
 *
 * @throws AiProxyError `upgrade_required`
 */
export function refuseWebSocket(upgrade: string | undefined): void {
  if (upgrade === undefined || !/(?:^|,)\s*websocket\b/i.test(upgrade)) return
  const headers = { upgrade: 'HTTP/1.1', connection: 'Upgrade' }
  throw new AiProxyError('upgrade_required', 'There are no WebSockets here: ask by HTTP, for a stream of events', {
    headers,
  })
}
