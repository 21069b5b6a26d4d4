import type { IncomingMessage } from 'node:http'
import { AiProxyError, limitFailure } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import type { Config } from '../options/config.js'
import { debug } from '../util/debug.js'
import { providerRequestIdIn } from './request-ids.js'
import { mayHaveBody, type ResponsePlan, responsePlan } from './response-plan.js'

/**
 * Notes the head of a provider's response in its exchange, and decides how the response is forwarded.
 *
 * @param readsErrors also reads the provider's errors as their type says; usually they pass unchanged
 * @param headAt when the head arrived, in monotonic milliseconds
 * @throws AiProxyError `upstream_reset`, `upstream_redirected`, `response_too_large`
 */
export function readProviderHead(
  response: IncomingMessage,
  exchange: Exchange,
  config: Config,
  readsErrors: boolean,
  headAt: number | undefined,
): ResponsePlan {
  const { limits, format } = exchange
  const status = response.statusCode ?? 502
  exchange.deadlines.stop('firstByte')
  exchange.recordProviderHead(response.statusCode, providerRequestIdIn(response.headers, format), headAt)
  debug.upstream('%s status %d after %d ms', exchange.id, status, Math.round(exchange.firstByteMs ?? 0))
  if (status < 200 || status > 599) {
    throw new AiProxyError('upstream_reset', `The provider answered with status ${status}`)
  }
  const length = Number(response.headers['content-length'])
  if (length > limits.maxResponseBytes && mayHaveBody(exchange.client.method, status)) {
    throw limitFailure('response_too_large', limits)
  }
  const plan = responsePlan(response, exchange, config, readsErrors)
  const said = format.readHeaders(response.headers)
  if (status < 400 && Object.keys(said).length > 0) exchange.answer.add(said, exchange.startedAt)
  return plan
}
