import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Request } from 'express'
import { answerRulesFor } from '../formats/index.js'
import type { Config } from '../options/config.js'
import type { ExchangeSource } from '../options/exchange-source.js'
import { isHarmlessHeader } from '../options/forward-headers.js'
import { holdsConsumedKey } from '../util/consumed-keys.js'
import { isFramingHeader } from '../util/hop-by-hop.js'
import type { RequestBody } from './body.js'
import type { BodyBytes } from './body-bytes.js'
import { resolveCredentials } from './credentials.js'
import { forwardedHeaders } from './headers.js'
import type { ProviderPath } from './provider-path.js'
import { forwardedQuery } from './query.js'

/** What an exchange has for its request to the provider. */
interface RequestingExchange extends ExchangeSource {
  readonly req: Request
}

/**
 * Builds the request to the provider: the parts of the client's path, query, headers and body that may be forwarded,
 * and our credentials.
 *
 * @param observed headers of observers, which carry trace context; they override those of the client and of options
 * @param hooked headers of a hook, which may be credentials; they override all others
 * @throws AiProxyError `credentials_unavailable`
 */
export async function upstreamRequest(
  exchange: RequestingExchange,
  path: ProviderPath,
  body: RequestBody,
  config: Config,
  observed: readonly Readonly<Record<string, string>>[] = [],
  hooked: Readonly<Record<string, string>> = {},
): Promise<UpstreamRequest> {
  const { auth } = config
  const { req } = exchange
  const given = req.headers
  const authHeaders = await resolveCredentials('auth.headers', auth.headers, exchange)
  const authQuery = await resolveCredentials('auth.query', auth.query, exchange)
  // A hook may set credentials too: one per user, or a signature.
  const holdsCredentials = config.holdsCredentials || (!config.forwardCredentials && mayHoldCredentials(hooked))
  const rules = answerRulesFor(config.origin, config.prefix + path.decoded)
  const query = forwardedQuery(path.query, {
    ours: authQuery,
    holdsCredentials,
    isOwnKey: (text) => holdsConsumedKey(given, text),
    rules,
  })

  const headers: Record<string, string | string[]> = forwardedHeaders(
    given,
    (name) => config.forwards(name, exchange),
    holdsCredentials === config.holdsCredentials,
  )
  for (const [name, value] of Object.entries(headers)) if (holdsConsumedKey(given, value)) delete headers[name]
  if (rules?.takesAccept(String(headers.accept)) === false) delete headers.accept
  const host = given.host ?? given[':authority']
  if (host !== undefined) headers.host = host
  Object.assign(headers, body.headers)
  // Compressed events would have to be decompressed here before they could be told apart.
  headers['accept-encoding'] = 'identity'
  for (const [name, value] of config.headers) headers[name] = value
  for (const [name, value] of authHeaders) headers[name] = value
  for (const each of [...observed, hooked]) {
    // W3C Trace Context: a `tracestate` belongs to its `traceparent`.
    if ('traceparent' in each) delete headers.tracestate
    for (const [name, value] of Object.entries(each)) {
      if (!isFramingHeader(name.toLowerCase())) headers[name.toLowerCase()] = value
    }
  }
  return {
    method: req.method,
    url: config.prefix + path.path + (query && `?${query}`),
    headers,
    body: body.content,
    // Express evaluates `trust proxy` to compute these, and nothing else reads them.
    client: config.proxy.xfwd ? { remoteAddress: req.ip, encrypted: req.secure } : unknownClient,
  }
}

function mayHoldCredentials(headers: Readonly<Record<string, string>>): boolean {
  return Object.keys(headers).some((name) => !isHarmlessHeader(name))
}

/** Returns the same request with another body. */
export function withBody(request: UpstreamRequest, { content, headers }: RequestBody): UpstreamRequest {
  const { 'content-encoding': _, ...others } = request.headers
  const { 'content-encoding': encoding, 'content-length': length } = headers
  const ofBody = { ...(encoding && { 'content-encoding': encoding }), ...(length && { 'content-length': length }) }
  return { ...request, headers: { ...others, ...ofBody }, body: content }
}

const unknownClient = { remoteAddress: undefined, encrypted: false }

/** What http-proxy-middleware may know about the client's connection. */
export interface ClientConnection {
  readonly remoteAddress: string | undefined
  readonly encrypted: boolean
}

/** The content of a stub request. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query, from the root of the target's host. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: BodyBytes | IncomingMessage | undefined
  readonly client: ClientConnection
}
