import type { AsyncResource } from 'node:async_hooks'
import { AiProxyError, isA, toFailure } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { BodyConsumedError } from '../request/parsed-body.js'
import type { ResponseController } from '../response/response-controller.js'
import type { Runnable } from '../scheduling/turns.js'
import type { ProxyContext } from './context.js'
import { handleRequest } from './handle-request.js'

/** A request that has just arrived, and waits for its turn if many have. */
export class Arrival implements Runnable {
  readonly asyncContext: AsyncResource
  readonly #exchange: Exchange
  readonly #controller: ResponseController
  readonly #context: ProxyContext

  constructor(exchange: Exchange, controller: ResponseController, context: ProxyContext) {
    this.asyncContext = exchange.asyncContext
    this.#exchange = exchange
    this.#controller = controller
    this.#context = context
  }

  runTurn(): void {
    // Its client may have left while it waited.
    if (this.#exchange.isSettled) return
    handleRequest(this.#exchange, this.#controller, this.#context).catch((thrown) => this.#fail(thrown))
  }

  onTurnEnd(): void {}

  #fail(thrown: unknown): void {
    const { warnings } = this.#context
    // Work that stops because the exchange has ended is not a failure of its own.
    if (this.#exchange.isSettled && isA(AiProxyError, thrown) && thrown.code === 'aborted') return
    if (isA(BodyConsumedError, thrown)) warnings.report('AI_PROXY_BODY_CONSUMED')
    this.#controller.fail(toFailure(thrown))
  }
}
