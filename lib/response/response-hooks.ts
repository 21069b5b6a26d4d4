import { type AiProxyError, appTimeout, toFailure } from '../api/errors.js'
import type { HookName, OnAnswer, OnFailure, OnResponse } from '../api/hooks.js'
import type { Exchange } from '../exchange/exchange.js'
import { isRejection } from '../options/hook-rejection.js'
import { runAnswerHook, type WholeAnswer } from './answer-hook.js'
import type { ResponseContext } from './context.js'
import { askForResponse, type FailureResponse, failureResponse } from './failure-response.js'
import { runResponseHook } from './response-hook.js'
import type { ResponsePlan } from './response-plan.js'

/** What the hooks are run for. */
interface Answering {
  /** Ends the exchange with a failure, for example because a hook threw. */
  fail(failure: AiProxyError): void
}

/**
 * Runs the app's hooks for one response. No hook may hold the client for ever: each has as much time as the provider has
 * for its first byte. What a hook returns after the exchange has ended is ignored.
 */
export class ResponseHooks {
  readonly #exchange: Exchange
  readonly #context: ResponseContext
  readonly #answering: Answering
  #isGivenUp = false
  /** Sends the default answer to a failure while the app is still asked for its own. */
  #sendDefault: (() => void) | undefined

  constructor(exchange: Exchange, context: ResponseContext, answering: Answering) {
    this.#exchange = exchange
    this.#context = context
    this.#answering = answering
  }

  /** The exchange has ended or failed, so the results of hooks are of no use any more. */
  giveUp(): void {
    this.#isGivenUp = true
  }

  /** Asks the app about the head of the provider's response. */
  askAboutHead(
    hook: OnResponse,
    plan: ResponsePlan,
    proceed: (result: Awaited<ReturnType<typeof runResponseHook>>) => void,
  ): void {
    // The model cannot be seen meanwhile, so its silence does not count.
    const goOn = this.#exchange.deadlines.hold('firstToken')
    void this.#run(
      'onResponse',
      () => runResponseHook(hook, this.#exchange, plan),
      (result) => {
        goOn()
        proceed(result)
      },
    )
  }

  /** Shows the app a JSON answer. */
  askAboutAnswer(hook: OnAnswer, answer: WholeAnswer, proceed: (replacement: Buffer | undefined) => void): void {
    const run = () => runAnswerHook(hook, this.#exchange, answer, this.#context.turns, () => this.#isGivenUp)
    void this.#run('onAnswer', run, proceed)
  }

  /** Asks the app how to answer a failure. If that takes too long, `send` gets the default answer. */
  askAboutFailure(hook: OnFailure, failure: AiProxyError, send: (response: FailureResponse) => void): void {
    const { deadlines, limits } = this.#exchange
    let isSent = false
    const sendOnce = (response: FailureResponse) => {
      if (isSent) return
      isSent = true
      this.#sendDefault = undefined
      deadlines.stop('hook')
      send(response)
    }
    const sendDefault = () => sendOnce(failureResponse(this.#exchange, failure))
    this.#sendDefault = sendDefault
    deadlines.start('hook', limits.firstByteTimeoutMs, sendDefault)
    void askForResponse(hook, this.#exchange, failure, this.#context.config.hookErrors).then(sendOnce)
  }

  /** Answers a failure without waiting any longer for the app. @returns whether one was waiting */
  answerNow(): boolean {
    const sendDefault = this.#sendDefault
    sendDefault?.()
    return sendDefault !== undefined
  }

  async #run<T>(name: HookName, hook: () => Promise<T>, proceed: (result: T) => void): Promise<void> {
    const { deadlines, limits } = this.#exchange
    const reporting = this.#context.config.hookErrors.reporting(
      name,
      hook,
      () => this.#exchange.hookView(),
      isRejection,
    )
    deadlines.start('hook', limits.firstByteTimeoutMs, () => this.#answering.fail(appTimeout([name], limits)))
    try {
      const result = await reporting()
      if (this.#isGivenUp) return
      deadlines.stop('hook')
      proceed(result)
    } catch (error) {
      if (!this.#isGivenUp) this.#answering.fail(toFailure(error))
    }
  }
}
