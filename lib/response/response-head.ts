import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { builtInFormats, otherResponseHeaders } from '../formats/index.js'
import { type Framing, mediaTypesOf } from '../framing/index.js'
import { isHopByHop, namedByConnection } from '../util/hop-by-hop.js'
import { memoize } from '../util/memoize.js'
import { codingsOf } from './decode.js'

/**
 * The provider's response headers that go on: those that describe the body, that say what to do next, and that account for
 * the request. All others stay here. A provider is one origin, and the app is another: what browsers, caches and the
 * servers in front of the app do by a header is for the app to say, and which headers they obey changes every year.
 */
const goesOn = new Set([
  // The body (RFC 9110, 8), and whether a copy of it may be used (RFC 9111).
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'content-range',
  'content-disposition',
  'content-md5',
  'content-digest',
  'repr-digest',
  'digest',
  'accept-ranges',
  'cache-control',
  'pragma',
  'expires',
  'age',
  'etag',
  'last-modified',
  'vary',
  'date',
  // What to do next; for URLs see links.ts.
  'allow',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
  'deprecation',
  'sunset',
  'warning',
  'mcp-session-id',
  'mcp-protocol-version',
  // Where and how long it was worked on.
  'server-timing',
  'traceresponse',
  'cf-ray',
  'nvcf-status',
  'x-envoy-upstream-service-time',
])

/** Names of which there are many: what providers and gateways say of a request under names of their own. */
const goesOnByPattern = new RegExp(
  [
    // Rate limits and quotas, however spelled; not `x-envoy-ratelimited`, by which Envoy's own clients behave.
    '^(?!x-envoy-).*rate-?limit',
    '-(?:limit|remaining|quota|quota-reset)$',
    // Ids of requests and traces.
    '(?:^|[-_])(?:request|req|trace|correlation|log|call|response|generation|inference)[-_]?id$',
    '^x-amz-(?:id-2|cf-id|apigw-id)$',
    // Times, tokens, costs.
    '^(?!x-(?:accel|lighttpd|litespeed|cache|middleware|envoy)-).*[-_](?:ms|time|latency|duration|tokens|cost|usage)$',
    // Families of one sender.
    ...[...builtInFormats.flatMap((format) => format.responseHeaders), ...otherResponseHeaders].map(
      ({ source }) => source,
    ),
  ]
    .map((pattern) => `(?:${pattern})`)
    .join('|'),
)

/** Names of these families by which proxies before the app, and browsers, do things. */
const areOrders = /^(?:x-kong-limit|x-ms-invokeapp|x-amzn-oidc-.*)$/

/** These are URLs: links.ts makes them lead here. */
const areLinks = /^(?:location|content-location|link|x-goog-upload-(?:control-)?url)$/

/** These belong to the body that they come with, whatever the app has set for bodies of its own. */
const ofTheBody = new Set(['content-type', 'content-length', 'content-encoding', 'vary'])

/** Of a body that is not the same here byte for byte, these are wrong. */
const digests = ['content-md5', 'content-digest', 'repr-digest', 'digest']
const ofTheCodedBytes = new Set([...digests, 'accept-ranges', 'content-range'])

/** The headers without digests, for a body in which something may be left out or masked. */
export function withoutDigests(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  if (!digests.some((name) => name in headers)) return headers
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !digests.includes(name)))
}

/** The headers without what tells or fetches the bytes of a body that has been replaced. */
export function withoutValidators(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const stale = [...ofTheCodedBytes, 'etag', 'last-modified']
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !stale.includes(name)))
}

/** Remembered: the names are the same from answer to answer. */
const kindOf = memoize((name) => {
  if (isHopByHop(name) || areLinks.test(name)) return 'elsewhere'
  if (ofTheBody.has(name)) return 'of the body'
  if (areOrders.test(name)) return 'stays'
  return goesOn.has(name) || goesOnByPattern.test(name) ? 'of the answer' : 'stays'
})

/**
 * The provider's response headers, as they go on to the client; never over one that the app has set.
 *
 * @param isDecoded the body is decoded here
 * @param onDropped told the names of those that stay here
 */
export function responseHeaders(
  response: IncomingMessage,
  res: ServerResponse,
  isDecoded: boolean,
  onDropped?: (names: readonly string[]) => void,
): OutgoingHttpHeaders {
  const { headers: given, statusCode } = response
  const named = namedByConnection(given.connection)
  const isBare = isDecoded || codingsOf(given['content-encoding']).length === 0
  // RFC 9110, 8.6: a 204 has no length.
  const hasNoLength = isDecoded || statusCode === 204
  const isLeftOut = (name: string) => {
    if (name === 'content-encoding') return isBare
    return name === 'content-length' ? hasNoLength : isDecoded && ofTheCodedBytes.has(name)
  }
  const headers: OutgoingHttpHeaders = {}
  const dropped: string[] = []
  for (const name of Object.keys(given)) {
    const kind = kindOf(name)
    if (kind === 'elsewhere' || named.includes(name)) continue
    if (kind === 'stays' || (kind === 'of the answer' && res.hasHeader(name))) dropped.push(name)
    else if (!isLeftOut(name)) headers[name] = given[name]
  }
  // RFC 9110, 8.8.1: a strong tag tells each byte.
  if (isDecoded && headers.etag?.startsWith('"')) headers.etag = `W/${headers.etag}`
  if (given.vary !== undefined) headers.vary = mergedVary(res, given.vary)
  if (dropped.length > 0) onDropped?.(dropped)
  return headers
}

/** The label of JSON that we write, or that came without one. */
export const JSON_TYPE = 'application/json; charset=utf-8'

/** Types that browsers run, on the origin that they came from: pages, alone and in archives, scripts, styles. */
const ACTIVE_TYPE =
  /html|xml|(?:java|ecma|j|live|vb)script|scriptlet|xslt?$|mimearchive|^text\/(?:x-component|css|cache-manifest)$|^application\/hta$|^message\/|^multipart\/(?:x-mixed-replace|related)$/

/**
 * Takes a body's power over the app's origin: what browsers would run as a page or a script of the app is a text to them.
 * Clients of an API read it all the same.
 *
 * @param isEmpty there is no body: it needs no type
 * @param res the app's policy in it stays: it has no need of another, as a text is no page
 * @returns the headers to send in the place of `headers`
 */
export function withoutPower(headers: OutgoingHttpHeaders, isEmpty: boolean, res: ServerResponse): OutgoingHttpHeaders {
  const type = headers['content-type']?.toString()
  const types = mediaTypesOf(type)
  if (types.length === 0 ? isEmpty : !types.some((type) => ACTIVE_TYPE.test(type))) return headers
  const charset = /;\s*charset="?(?!utf-?7)[\w-]+"?/i.exec(type ?? '')?.[0] ?? '; charset=utf-8'
  return {
    ...headers,
    'content-type': types.length > 0 ? `text/plain${charset}` : 'application/octet-stream',
    ...(!res.hasHeader('content-security-policy') && { 'content-security-policy': 'sandbox' }),
  }
}

/**
 * The same for a stream: nothing between here and the client may buffer, transform or store it.
 *
 * @param framing how it is framed; `undefined` while that is not known
 * @param cacheControl what the app has set, which stays
 */
export function streamHeaders(
  headers: OutgoingHttpHeaders,
  framing: Framing | undefined,
  cacheControl?: number | string | readonly string[],
): OutgoingHttpHeaders {
  const directives = String(cacheControl ?? headers['cache-control'] ?? 'no-cache')
  const ofStream: OutgoingHttpHeaders = {}
  for (const name of Object.keys(headers)) if (name !== 'content-length') ofStream[name] = headers[name]
  ofStream['content-type'] = framing ? typeOf(framing, headers['content-type']?.toString()) : headers['content-type']
  ofStream['cache-control'] = NO_TRANSFORM.test(directives) ? directives : `${directives}, no-transform`
  ofStream['x-accel-buffering'] = 'no'
  return ofStream
}

const NO_TRANSFORM = /\bno-transform\b/i

/** The provider's own label, where it is one type and right: of several, a browser may take another. */
function typeOf(framing: Framing, contentType: string | undefined): string {
  const [type, ...others] = mediaTypesOf(contentType)
  const isOfFraming = framing.mediaTypes?.includes(type ?? '') ?? type === mediaTypesOf(framing.contentType)[0]
  return isOfFraming && others.length === 0 ? contentType! : framing.contentType
}

/** Adds what the provider's answer varies by to what the app's own answers vary by (`cors()` says `Origin`). */
function mergedVary(res: ServerResponse, vary: string): string | undefined {
  if (!vary) return undefined
  const ours = res.getHeader('vary')
  return ours === undefined ? vary : [ours, vary].flat().join(', ')
}

/** Sets status and headers of a response that has not begun. */
export function setHead(res: ServerResponse, status: number, headers: OutgoingHttpHeaders): void {
  res.statusCode = status
  // No browser takes an answer for anything but what it is labelled as.
  if (!res.hasHeader('x-content-type-options')) res.setHeader('x-content-type-options', 'nosniff')
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    if (value !== undefined) res.setHeader(name, value)
  }
}
