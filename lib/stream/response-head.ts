import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { isHopByHop, namedByConnection } from '../hop-by-hop.js'

/**
 * Headers that speak for an origin, which is the provider's there and would be the app's here: to browsers, to the
 * servers in front of the app (`x-accel-redirect` makes nginx send a file of its own), and over what `helmet()` has set.
 */
const ofTheOrigin = new RegExp(
  `^(?:${[
    'set-cookie2?',
    'strict-transport-security',
    'alt-svc',
    'nel',
    'report-to',
    'reporting-endpoints',
    'clear-site-data',
    'access-control-.*',
    'x-accel-.*',
    'x-sendfile',
    'www-authenticate',
    'refresh',
    'content-security-policy.*',
    'cross-origin-.*',
    'x-frame-options',
    'referrer-policy',
    'permissions-policy',
    'service-worker-allowed',
  ].join('|')})$`,
)

/** The provider's response headers, as they go on to the client. */
export function responseHeaders(response: IncomingMessage, isDecoded: boolean): OutgoingHttpHeaders {
  const named = namedByConnection(response.headers.connection)
  const headers: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(response.headers)) {
    const isOurs = isDecoded && (name === 'content-encoding' || name === 'content-length')
    if (!isOurs && !isHopByHop(name) && !named.includes(name) && !ofTheOrigin.test(name)) headers[name] = value
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
