import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import {
  builtInFormats,
  otherInstructionHeaders,
  otherResponseHeaders,
  sharedResponseHeaders,
} from '../formats/index.js'
import { type Framing, framingFor, mediaTypesOf } from '../framing/index.js'
import { isHopByHop, namedByConnection } from '../util/hop-by-hop.js'
import { memoize } from '../util/memoize.js'
import { codingsOf } from './decode.js'
import { linkHeaders } from './links.js'

/**
 * The provider's response headers that are forwarded: those that describe the body, say what to do next, or report on
 * the request. All others are dropped. The provider is one origin and the app another: only the app should set headers
 * that control browsers, caches and the servers in front of it, and the set of those headers changes every year.
 */
const forwarded = new Set([
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
  'deprecation',
  'sunset',
  'warning',
  'mcp-session-id',
  'mcp-protocol-version',
  // Where and how long the request was processed.
  'server-timing',
  'traceresponse',
])

/** Those of providers and gateways, under their own names. */
const forwardedOfProviders = new RegExp(
  [...sharedResponseHeaders, ...builtInFormats.flatMap((format) => format.responseHeaders), ...otherResponseHeaders]
    .map(({ source }) => `(?:${source})`)
    .join('|'),
)

/** The provider's id of the request, which request-ids.ts sends on under another name. */
const REQUEST_ID = 'x-request-id'

/** Headers that belong to the body, whatever the app has set for its own bodies. */
const bodyHeaders = new Set(['content-type', 'content-length', 'content-encoding', 'vary'])

/** Headers that are wrong if the body is not forwarded byte for byte. */
const digests = ['content-md5', 'content-digest', 'repr-digest', 'digest']
const encodedByteHeaders = new Set([...digests, 'accept-ranges', 'content-range'])

/** Headers by which a client asks later whether a body is still the same. */
const validators = ['etag', 'last-modified']

/** Removes digests from the headers of a body from which something may be removed or masked. */
export function withoutDigests(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  if (!digests.some((name) => name in headers)) return headers
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !digests.includes(name)))
}

/** Returns the headers without those that identify the bytes of a body, for a body that has been replaced. */
export function withoutValidators(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const stale = [...encodedByteHeaders, ...validators]
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !stale.includes(name)))
}

/** Returns the headers for a body that changes as it passes, so that its length is not known yet. */
export function withoutLength(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const { 'content-length': _, ...others } = withoutValidators(headers)
  return others
}

const NONE: readonly RegExp[] = []

/** Memoized: the same names occur in every answer. */
const kindOf = memoize((name) => {
  if (isHopByHop(name) || linkHeaders.includes(name) || name === REQUEST_ID) return 'elsewhere'
  if (bodyHeaders.has(name)) return 'of the body'
  if (otherInstructionHeaders.test(name)) return 'stays'
  return forwarded.has(name) || forwardedOfProviders.test(name) ? 'of the answer' : 'stays'
})

/**
 * Returns the provider's response headers for the client. Headers that the app has set win.
 *
 * @param isDecoded the body is decoded here
 * @param onDropped called with the names of dropped headers
 * @param ofFormat patterns of the app's own format for further headers
 */
export function responseHeaders(
  response: IncomingMessage,
  res: ServerResponse,
  isDecoded: boolean,
  onDropped?: (names: readonly string[]) => void,
  ofFormat: readonly RegExp[] = NONE,
): OutgoingHttpHeaders {
  const { headers: given, statusCode } = response
  const named = namedByConnection(given.connection)
  const isBare = isDecoded || codingsOf(given['content-encoding']).length === 0
  // RFC 9110, 8.6: a 204 has no length.
  const hasNoLength = isDecoded || statusCode === 204
  const isLeftOut = (name: string) => {
    if (name === 'content-encoding') return isBare
    return name === 'content-length' ? hasNoLength : isDecoded && encodedByteHeaders.has(name)
  }
  const headers: OutgoingHttpHeaders = {}
  const dropped: string[] = []
  for (const name of Object.keys(given)) {
    const known = kindOf(name)
    const kind = known === 'stays' && ofFormat.some((pattern) => pattern.test(name)) ? 'of the answer' : known
    if (kind === 'elsewhere' || named.includes(name)) continue
    if (kind === 'stays' || (kind === 'of the answer' && res.hasHeader(name))) dropped.push(name)
    else if (!isLeftOut(name)) headers[name] = given[name]
  }
  // RFC 9110, 8.8.1: a strong tag identifies each byte.
  if (isDecoded && headers.etag?.startsWith('"')) headers.etag = `W/${headers.etag}`
  if (given.vary !== undefined) headers.vary = mergedVary(res, given.vary)
  if (dropped.length > 0) onDropped?.(dropped)
  return headers
}

/** Content type of JSON that we write, or that arrived without one. */
export const JSON_TYPE = 'application/json; charset=utf-8'

/** Returns the headers for JSON. A label of the provider's that names a stream is replaced; the app's own stays. */
export function jsonHeaders(headers: OutgoingHttpHeaders, providerType: string | undefined): OutgoingHttpHeaders {
  const isMislabelled = headers['content-type'] === providerType && framingFor(providerType) !== undefined
  return isMislabelled ? { ...headers, 'content-type': JSON_TYPE } : { 'content-type': JSON_TYPE, ...headers }
}

/** Types that browsers execute on the origin they came from: pages, alone and in archives, scripts, styles. */
const ACTIVE_TYPE =
  /html|xml|(?:java|ecma|j|live|vb)script|scriptlet|xslt?$|mimearchive|^text\/(?:x-component|css|cache-manifest)$|^application\/hta$|^message\/|^multipart\/(?:x-mixed-replace|related)$/

/**
 * Prevents a body from running on the app's origin: what browsers would execute as a page or a script becomes text.
 * Clients of an API read it all the same.
 *
 * @param isEmpty there is no body, so that no type is needed
 * @param res its policy, if the app has set one, is kept: text needs no other
 * @returns the headers to send instead of `headers`
 */
export function withoutActiveContent(
  headers: OutgoingHttpHeaders,
  isEmpty: boolean,
  res: ServerResponse,
): OutgoingHttpHeaders {
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
 * Returns the headers for a stream: nothing between here and the client may buffer, transform or store it.
 *
 * @param framing its framing; `undefined` if not known yet
 * @param cacheControl the app's value, which is kept
 */
export function streamHeaders(
  headers: OutgoingHttpHeaders,
  framing: Framing | undefined,
  cacheControl?: number | string | readonly string[],
): OutgoingHttpHeaders {
  const directives = String(cacheControl ?? headers['cache-control'] ?? 'no-cache')
  const ofStream: OutgoingHttpHeaders = {}
  for (const name of Object.keys(headers)) if (!ofWholeBodies.has(name)) ofStream[name] = headers[name]
  ofStream['content-type'] = framing ? typeOf(framing, headers['content-type']?.toString()) : headers['content-type']
  ofStream['cache-control'] = NO_TRANSFORM.test(directives) ? directives : `${directives}, no-transform`
  ofStream['x-accel-buffering'] = 'no'
  return ofStream
}

/** What identifies the bytes of a body: those of a stream may change as they pass. */
const ofWholeBodies = new Set(['content-length', ...validators])

const NO_TRANSFORM = /\bno-transform\b/i

/** Returns the provider's content type if it is a single, correct type: of several, a browser may use another. */
function typeOf(framing: Framing, contentType: string | undefined): string {
  const [type, ...others] = mediaTypesOf(contentType)
  const isOfFraming = framing.mediaTypes?.includes(type ?? '') ?? type === mediaTypesOf(framing.contentType)[0]
  return isOfFraming && others.length === 0 ? contentType! : framing.contentType
}

/** Adds the provider's `vary` to the one that the app has set (`cors()` sets `Origin`). */
function mergedVary(res: ServerResponse, vary: string): string | undefined {
  if (!vary) return undefined
  const ours = res.getHeader('vary')
  return ours === undefined ? vary : [ours, vary].flat().join(', ')
}

/** Sets status and headers of a response that has not begun. */
export function setHead(res: ServerResponse, status: number, headers: OutgoingHttpHeaders): void {
  res.statusCode = status
  // Keeps browsers from guessing another type than the label says.
  if (!res.hasHeader('x-content-type-options')) res.setHeader('x-content-type-options', 'nosniff')
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    if (value !== undefined) res.setHeader(name, value)
  }
}
