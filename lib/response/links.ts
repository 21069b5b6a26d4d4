import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import type { Config } from '../options/config.js'
import type { Secrets } from '../util/secrets.js'

/** Headers that are one URL. Google's upload clients take theirs without asking what it is relative to. */
const URL_HEADERS = ['location', 'content-location'] as const
const UPLOAD_HEADERS = ['x-goog-upload-url', 'x-goog-upload-control-url'] as const
const ALL_HEADERS = [...URL_HEADERS, ...UPLOAD_HEADERS, 'link']

/** Links that lead from page to page of a list; others (`preload`, `modulepreload`) are orders to a browser. */
const PAGE_RELATION = /^(?:next|prev|previous|first|last|self)$/i
/** One link of the header, with its parameters (RFC 8288); a quoted one may have any character in it. */
const LINK = /<([^<>]*)>((?:[^<>,"]|"[^"]*")*)/g
const PARAMETER = /;\s*([\w*-]+)\s*=\s*("[^"]*"|[^\s;"]*)/g

/** Longer than any link is, and short enough for the client's limit of all headers (16 KiB in Node). */
const MOST_CHARACTERS = 4096

/**
 * The URLs in the headers of an answer, as the client can use them: what leads to the provider leads to this route, and
 * what leads elsewhere is left out. A client that followed it would take the prompt to a host of the provider's choosing.
 *
 * @returns `undefined` if there are none
 * @throws AiProxyError `upstream_redirected`, where the answer is a redirect to elsewhere
 */
export function linksHere(
  response: IncomingMessage,
  exchange: Exchange,
  config: Config,
): OutgoingHttpHeaders | undefined {
  const { headers, statusCode = 0 } = response
  if (!ALL_HEADERS.some((name) => headers[name] !== undefined)) return undefined
  const here: OutgoingHttpHeaders = {}
  for (const name of URL_HEADERS) {
    const url = headers[name]
    if (url !== undefined) here[name] = urlHere(url, exchange, config)
  }
  const isRedirect = statusCode >= 300 && statusCode < 400 && statusCode !== 304
  if (isRedirect && headers.location !== undefined && here.location === undefined) {
    throw new AiProxyError('upstream_redirected', 'The provider redirects to another place than the target')
  }
  for (const name of UPLOAD_HEADERS) {
    const url = headers[name]
    const path = typeof url === 'string' ? urlHere(url, exchange, config) : undefined
    if (path !== undefined) here[name] = `${exchange.req.protocol ?? 'http'}://${exchange.req.headers.host}${path}`
  }
  if (headers.link !== undefined) here.link = pagesHere([headers.link].flat().join(', '), exchange, config)
  return here
}

/** Path and query below the route, without our credentials; `undefined` where the URL leaves the target. */
function urlHere(reference: string, { req, path, secrets }: Exchange, config: Config): string | undefined {
  const base = config.origin + config.prefix + path
  if (!URL.canParse(reference, base)) return undefined
  const url = new URL(reference, base)
  const isByOurHost = config.proxy.changeOrigin === false && url.host === req.headers.host
  if (url.origin !== config.origin && !isByOurHost) return undefined
  if (!`${url.pathname}/`.startsWith(`${config.prefix}/`)) return undefined
  const below = url.pathname.slice(config.prefix.length) || '/'
  // A path that begins so is another host's.
  if (below.startsWith('//')) return undefined
  const query = withoutOurs(url.search.slice(1), secrets, config)
  const mount = (req.baseUrl ?? '').replace(/^[/\\]+/, '/')
  const here = mount + below + (query && `?${query}`) + url.hash
  // Where ours is longer than theirs, it may be more than a client can read.
  return here.length <= Math.max(MOST_CHARACTERS, reference.length) ? here : undefined
}

/** A query without our parameters, and without what holds one of our secrets, however it is percent-encoded. */
function withoutOurs(query: string, secrets: Secrets, { auth }: Config): string {
  const ours = new Set(auth.query.map(([name]) => name.toLowerCase()))
  const isOurs = (pair: string) => {
    const [name, value] = new URLSearchParams(pair).entries().next().value ?? ['', '']
    return ours.has(name.toLowerCase()) || secrets.mask(value) !== value
  }
  return query
    .split('&')
    .filter((pair) => pair !== '' && !isOurs(pair))
    .join('&')
}

/** The links to pages, one of each relation, with nothing but their relation. */
function pagesHere(link: string, exchange: Exchange, config: Config): string | undefined {
  const pages = new Map<string, string>()
  let length = 0
  for (const [, url = '', parameters = ''] of link.matchAll(LINK)) {
    const relation = relationIn(parameters)
    if (relation === undefined || pages.has(relation)) continue
    const here = urlHere(url, exchange, config)
    if (here === undefined || length + here.length > MOST_CHARACTERS) continue
    length += here.length
    pages.set(relation, `<${here}>; rel="${relation}"`)
  }
  return pages.size > 0 ? [...pages.values()].join(', ') : undefined
}

/** The one relation that a link has; `undefined` where it has several, or is no page's. */
function relationIn(parameters: string): string | undefined {
  const relations = [...parameters.matchAll(PARAMETER)].filter(([, name]) => name?.toLowerCase() === 'rel')
  const relation = relations[0]?.[2]?.replaceAll('"', '').trim().toLowerCase()
  return relations.length === 1 && relation !== undefined && PAGE_RELATION.test(relation) ? relation : undefined
}
