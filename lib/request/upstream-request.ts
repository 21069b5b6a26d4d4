import type { Request } from 'express'
import type { Config } from '../config.js'
import type { UpstreamRequest } from '../upstream/stand-ins.js'
import type { RequestBody } from './body.js'
import { resolveCredentials } from './credentials.js'
import { forwardedHeaders, forwardedQuery, isFramingHeader } from './headers.js'
import type { ProviderPath } from './provider-path.js'

/**
 * What goes to the provider: the client's path, query, headers and body as far as they go on, and our credentials.
 *
 * @param further headers of hooks and observers; they win over all others
 * @throws AiProxyError `credentials_unavailable`
 */
export async function upstreamRequest(
  req: Request,
  path: ProviderPath,
  body: RequestBody,
  config: Config,
  further: readonly Readonly<Record<string, string>>[] = [],
): Promise<UpstreamRequest> {
  const { auth, holdsCredentials } = config
  const authHeaders = await resolveCredentials('auth.headers', auth.headers)
  const authQuery = await resolveCredentials('auth.query', auth.query)
  const query = forwardedQuery(path.query, authQuery, holdsCredentials)

  const headers: Record<string, string | string[]> = forwardedHeaders(req.headers, config.forwards)
  if (req.headers.host !== undefined) headers.host = req.headers.host
  Object.assign(headers, body.headers)
  // Compressed events would have to be decoded here and could not be told apart before that.
  headers['accept-encoding'] = 'identity'
  for (const [name, value] of config.headers) headers[name] = value
  for (const [name, value] of authHeaders) headers[name] = value
  for (const each of further) {
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
    // Express works these out by `trust proxy`; nobody else reads them.
    client: config.proxy.xfwd ? { remoteAddress: req.ip, encrypted: req.secure } : unknownClient,
  }
}

const unknownClient = { remoteAddress: undefined, encrypted: false }
