import type { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { tryParseJsonBytes } from '../json/json.js'
import { isExpensiveToParse } from '../metering/parse-cost.js'

/**
 * Returns the event for a body that is an error and comes too late for a status: unchanged if it is JSON in the client's
 * protocol. That is parsed and written anew, which undoes how a secret may have been escaped.
 *
 * @param failure said in its place if it is not
 */
export function eventOfErrorBody(
  body: Buffer,
  failure: AiProxyError,
  exchange: Pick<Exchange, 'format' | 'secrets' | 'streamState'>,
): Buffer | string {
  const { format, secrets } = exchange
  const json = isExpensiveToParse(body) ? undefined : tryParseJsonBytes(body)
  const errorBody = format.isErrorBody(json) ? json : format.errorBody(failure)
  const event = format.errorEvent(errorBody, exchange.streamState())
  return secrets.isEmpty ? event : secrets.maskBytes(Buffer.from(event))
}
