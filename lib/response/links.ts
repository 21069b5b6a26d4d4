import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { builtInFormats } from '../formats/index.js'
import type { Config } from '../options/config.js'
import type { Secrets } from '../util/secrets.js'

/** Headers with a single URL. Clients use those of the formats as absolute URLs. */
const URL_HEADERS = ['location', 'content-location'] as const
const FORMAT_HEADERS = builtInFormats.flatMap(({ urlHeaders }) => urlHeaders)

/** All headers whose values are rewritten. */
export const linkHeaders: readonly string[] = [...URL_HEADERS, ...FORMAT_HEADERS, 'link']

/** Links between the pages of a list; others (`preload`, `modulepreload`) instruct a browser. */
const PAGE_RELATION = /^(?:next|prev|previous|first|last|self)$/i
/** One link of the header, with its parameters (RFC 8288); a quoted one may have any character in it. */
const LINK = /<([^<>]*)>((?:[^<>,"]|"[^"]*")*)/g
const PARAMETER = /;\s*([\w*-]+)\s*=\s*("[^"]*"|[^\s;"]*)/g

/** Longer than any real link, and below the client's limit for all headers (16 KiB in Node). */
const MAX_LINK_LENGTH = 4096

/**
 * Rewrites the URLs in the headers of an answer for the client: URLs at the target become URLs of this route, and all
 * others are dropped. A client that followed one of those would send the prompt to a host of the provider's choice.
 *
 * @returns `undefined` if there are none
 * @throws AiProxyError `upstream_redirected` if the answer redirects away from the target
 */
export function localLinks(
  response: IncomingMessage,
  exchange: Exchange,
  config: Config,
): OutgoingHttpHeaders | undefined {
  const { headers, statusCode = 0 } = response
  if (!linkHeaders.some((name) => headers[name] !== undefined)) return undefined
  const here: OutgoingHttpHeaders = {}
  for (const name of URL_HEADERS) {
    const url = headers[name]
    if (url !== undefined) here[name] = localUrl(url, exchange, config)
  }
  const isRedirect = statusCode >= 300 && statusCode < 400 && statusCode !== 304
  if (isRedirect && headers.location !== undefined && here.location === undefined) {
    throw new AiProxyError('upstream_redirected', 'The provider redirects away from the target')
  }
  for (const name of FORMAT_HEADERS) {
    const url = headers[name]
    const path = typeof url === 'string' ? localUrl(url, exchange, config) : undefined
    if (path !== undefined) here[name] = `${exchange.req.protocol ?? 'http'}://${exchange.req.headers.host}${path}`
  }
  if (headers.link !== undefined) here.link = localPageLinks([headers.link].flat().join(', '), exchange, config)
  return here
}

/** Returns path and query below the route, without our credentials; `undefined` if the URL is outside the target. */
function localUrl(reference: string, { req, path, secrets }: Exchange, config: Config): string | undefined {
  const base = config.origin + config.prefix + path
  if (!URL.canParse(reference, base)) return undefined
  const url = new URL(reference, base)
  const isByOurHost = config.proxy.changeOrigin === false && url.host === req.headers.host
  if (url.origin !== config.origin && !isByOurHost) return undefined
  if (!`${url.pathname}/`.startsWith(`${config.prefix}/`)) return undefined
  const below = url.pathname.slice(config.prefix.length) || '/'
  // A path that begins this way names another host.
  if (below.startsWith('//')) return undefined
  const query = withoutOwnParameters(url.search.slice(1), secrets, config)
  const mount = (req.baseUrl ?? '').replace(/^[/\\]+/, '/')
  const here = mount + below + (query && `?${query}`) + url.hash
  // A result longer than the original may exceed what a client can read.
  return here.length <= Math.max(MAX_LINK_LENGTH, reference.length) ? here : undefined
}

/** Removes our parameters from a query, and any that contain one of our secrets, however percent-encoded. */
function withoutOwnParameters(query: string, secrets: Secrets, { auth }: Config): string {
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

/** Returns the links to pages, one for each relation, without other parameters. */
function localPageLinks(link: string, exchange: Exchange, config: Config): string | undefined {
  const pages = new Map<string, string>()
  let length = 0
  for (const [, url = '', parameters = ''] of link.matchAll(LINK)) {
    const relation = relationIn(parameters)
    if (relation === undefined || pages.has(relation)) continue
    const here = localUrl(url, exchange, config)
    if (here === undefined || length + here.length > MAX_LINK_LENGTH) continue
    length += here.length
    pages.set(relation, `<${here}>; rel="${relation}"`)
  }
  return pages.size > 0 ? [...pages.values()].join(', ') : undefined
}

/** Returns the only relation of a link; `undefined` if it has several, or does not lead to a page. */
function relationIn(parameters: string): string | undefined {
  const relations = [...parameters.matchAll(PARAMETER)].filter(([, name]) => name?.toLowerCase() === 'rel')
  const relation = relations[0]?.[2]?.replaceAll('"', '').trim().toLowerCase()
  return relations.length === 1 && relation !== undefined && PAGE_RELATION.test(relation) ? relation : undefined
}
