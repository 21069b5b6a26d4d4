import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Headers that mean one connection and never the next (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Headers that speak for an origin, which is the provider's there and would be the app's here. */
const ofTheOrigin =
  /^(?:set-cookie2?|strict-transport-security|alt-svc|nel|report-to|clear-site-data|access-control-.*)$/

/** The provider's response headers, as they go on to the client. */
export function responseHeaders(response: IncomingMessage, isDecoded: boolean): OutgoingHttpHeaders {
  const named = response.headers.connection?.toLowerCase().split(/\s*,\s*/) ?? []
  const headers: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(response.headers)) {
    const isOurs = isDecoded && (name === 'content-encoding' || name === 'content-length')
    if (!isOurs && !hopByHop.has(name) && !named.includes(name) && !ofTheOrigin.test(name)) headers[name] = value
  }
  return headers
}

/** The same for an event stream: nothing between here and the client may buffer, transform or store it. */
export function streamHeaders(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const directives = String(headers['cache-control'] ?? 'no-cache')
  const { 'content-length': _, ...rest } = headers
  return {
    ...rest,
    'content-type': headers['content-type'] ?? 'text/event-stream; charset=utf-8',
    'cache-control': /\bno-transform\b/i.test(directives) ? directives : `${directives}, no-transform`,
    'x-accel-buffering': 'no',
  }
}

/** Adds what the provider's answer varies by to what the app's own answers vary by (`cors()` says `Origin`). */
export function mergedVary(res: ServerResponse, vary: string | undefined): string | undefined {
  if (!vary) return undefined
  const ours = res.getHeader('vary')
  return ours === undefined ? vary : [ours, vary].flat().join(', ')
}
