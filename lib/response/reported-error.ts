import { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'

/** Settles an exchange if the provider reported an error in an answer that had begun well. */
export function settleReportedError(exchange: Exchange): void {
  const { error } = exchange.answer
  if (error === undefined) return
  const failure = new AiProxyError('upstream_error', `The provider failed within its answer: ${error}`)
  exchange.settle(exchange.hasErrorStatus ? 'provider_error' : failure.outcome, failure)
}
