import type { IncomingMessage } from 'node:http'
import type { AiProxyError } from '../api/errors.js'
import type { AttemptEntry } from '../exchange/attempts.js'
import type { Exchange } from '../exchange/exchange.js'
import type { ResponseController } from '../response/response-controller.js'
import type { ProxyContext } from './context.js'
import type { PreparedRequest } from './prepare-request.js'
import { type DispatchEvents, RequestDispatch } from './request-dispatch.js'

/** Asks the only target, once: its answer, whatever it is, is the client's. */
export class SingleRequest implements DispatchEvents {
  readonly #exchange: Exchange
  readonly #controller: ResponseController
  readonly #context: ProxyContext
  readonly #dispatch: RequestDispatch
  #attempt: AttemptEntry | undefined

  constructor(prepared: PreparedRequest, exchange: Exchange, controller: ResponseController, context: ProxyContext) {
    this.#exchange = exchange
    this.#controller = controller
    this.#context = context
    this.#dispatch = new RequestDispatch(prepared, exchange, context.provider, this)
  }

  start(): void {
    // Requests of a burst are sent in turns, like everything else that takes time.
    this.#context.turns.runOrEnqueue(this.#dispatch)
  }

  onStart(): AttemptEntry {
    const { attempts, model } = this.#exchange
    this.#controller.upstream = this.#dispatch
    this.#attempt ??= attempts.begin(this.#context.config.name, model)
    attempts.serve(this.#attempt)
    return this.#attempt
  }

  onAnswer(response: IncomingMessage): void {
    this.#attempt?.answer(response.statusCode)
    this.#controller.begin(response)
  }

  onFailure(failure: AiProxyError): void {
    this.#controller.fail(failure)
  }

  onBodyDone(): void {
    this.#exchange.held?.release()
  }
}
