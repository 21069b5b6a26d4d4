import { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { toRejection } from '../options/hook-rejection.js'
import type { IdentifySubject } from '../options/identify.js'
import type { ResponseController } from '../response/response-controller.js'
import { askApp } from './ask-app.js'

/**
 * Asks the app whom the request belongs to.
 *
 * @throws AiProxyError `unauthenticated` if the app returns `null`; the error of a function that refuses; otherwise what it threw
 */
export async function identifySubject(
  exchange: Exchange,
  controller: ResponseController,
  identify: IdentifySubject,
): Promise<void> {
  try {
    const identified = await askApp('identify', exchange, controller, () => identify(exchange.hookView()))
    if (!identified) throw new AiProxyError('unauthenticated', 'No valid key or session was sent')
    exchange.identify(identified.subject, identified.models)
  } catch (error) {
    throw toRejection(error)
  }
}
