import type { Exchange } from '../exchange/exchange.js'
import type { Config } from '../options/config.js'
import type { Edited } from '../request/edit.js'
import { listNotForwarded } from '../request/headers.js'
import type { ProviderPath } from '../request/provider-path.js'
import { collectSecrets } from '../request/secret-values.js'
import { type UpstreamRequest, upstreamRequest, withBody } from '../request/upstream-request.js'
import { debug } from '../util/debug.js'
import type { Secrets } from '../util/secrets.js'

/** A request that is ready to be sent to its provider. */
export interface PreparedRequest {
  readonly request: UpstreamRequest
  /** The same request without the request for usage, if that is ours and the provider may reject it. */
  readonly unasked: UpstreamRequest | undefined
  /** The request asks for usage only for our sake. */
  readonly hidesUsage: boolean
  /** Secrets in the request, which must not reach the client. */
  readonly secrets: Secrets
}

/**
 * Builds the request to a provider.
 *
 * @param config the options of its target
 * @param observed headers of observers
 * @throws AiProxyError `credentials_unavailable`
 */
export async function prepareRequest(
  exchange: Exchange,
  path: ProviderPath,
  edited: Pick<Edited, 'body' | 'headers' | 'hidesUsage' | 'withoutUsageRequest'>,
  config: Config,
  observed: readonly Readonly<Record<string, string>>[],
): Promise<PreparedRequest> {
  const { id, req } = exchange
  const request = await upstreamRequest(exchange, path, edited.body, config, observed, edited.headers)
  if (debug.request.enabled) {
    const names = listNotForwarded(req.headers, request.headers)
    if (names) debug.request('%s not forwarded: %s', id, names)
  }
  return {
    request,
    unasked: edited.withoutUsageRequest && withBody(request, edited.withoutUsageRequest),
    hidesUsage: edited.hidesUsage,
    secrets: collectSecrets(request, config, [...observed, edited.headers]),
  }
}

/** Replaces the headers of a prepared request, in which there may be further secrets. */
export function withHeaders(
  prepared: PreparedRequest,
  headers: UpstreamRequest['headers'],
  config: Config,
): PreparedRequest {
  const request = { ...prepared.request, headers }
  const { unasked } = prepared
  const isChanged = Object.entries(headers).some(([name, value]) => prepared.request.headers[name] !== value)
  const strings = Object.entries(headers).filter(([, value]) => typeof value === 'string')
  return {
    request,
    // What was signed must be sent as it is.
    unasked: isChanged ? undefined : unasked,
    hidesUsage: prepared.hidesUsage,
    secrets: collectSecrets(request, config, [Object.fromEntries(strings) as Record<string, string>]),
  }
}
