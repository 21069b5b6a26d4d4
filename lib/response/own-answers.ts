import { type AiProxyError, setClientFormat } from '../api/errors.js'
import type { OnAnswer } from '../api/hooks.js'
import type { Exchange } from '../exchange/exchange.js'
import { failureForOthers, failureOfKept } from '../journal/answer-end.js'
import type { FinishedAnswer } from '../request/hook-answer.js'
import { debug } from '../util/debug.js'
import type { PendingAnswer } from './body-plan.js'
import type { ResponseContext } from './context.js'
import type { Downstream } from './downstream.js'
import { type FailureResponse, failureFrame, failureResponse, passToExpress } from './failure-response.js'
import { settleReportedError } from './reported-error.js'
import { requestIdHeader } from './request-ids.js'
import type { ResponseHooks } from './response-hooks.js'
import type { ResponseOpener } from './response-opener.js'

/** Sends the proxy's own answers, or the app's, in place of the provider's: mainly errors. */
export class OwnAnswers {
  readonly #exchange: Exchange
  readonly #context: ResponseContext
  readonly #downstream: Downstream
  readonly #opener: ResponseOpener
  readonly #hooks: ResponseHooks

  constructor(
    exchange: Exchange,
    context: ResponseContext,
    downstream: Downstream,
    opener: ResponseOpener,
    hooks: ResponseHooks,
  ) {
    this.#exchange = exchange
    this.#context = context
    this.#downstream = downstream
    this.#opener = opener
    this.#hooks = hooks
  }

  /** Sends a whole response. */
  send(status: number, headers: Readonly<Record<string, string>>, body?: string | Buffer): void {
    this.#exchange.enter('ending')
    this.#exchange.deadlines.stop('firstByte')
    this.#exchange.deadlines.stop('firstToken')
    this.#downstream.open(status, { ...requestIdHeader(this.#exchange), ...headers })
    this.#downstream.end(this.#exchange.req.method === 'HEAD' ? undefined : body)
  }

  /** Others may read what a client that has left does not get any more. */
  get #isRead(): boolean {
    return !this.#downstream.isGone || this.#exchange.recorder !== undefined
  }

  /** Sends the app's answer: as a response, or as an event if the response was opened as an event stream. */
  sendFromApp(answer: FinishedAnswer): void {
    if (!this.#isRead) return
    const { status, headers, content } = answer
    if (this.#opener.framing === undefined) return this.send(status, headers, content)
    this.#exchange.enter('ending')
    this.#downstream.end(this.#opener.eventOfAnswer(answer))
  }

  /**
   * Shows the app a JSON answer, then sends it, or what the app has put in its place.
   *
   * @param onGone called if there is no client any more
   */
  askAndSend({ answer, plan }: PendingAnswer, onAnswer: OnAnswer, onGone: () => void): void {
    const body = answer.drain()
    const status = plan.providerStatus
    this.#hooks.askAboutAnswer(onAnswer, { body, status, isJsonByLabel: plan.isJsonByLabel }, (replacement) => {
      settleReportedError(this.#exchange)
      if (this.#isRead) {
        this.#exchange.enter('ending')
        this.#opener.sendHeld(plan, replacement ?? body, replacement !== undefined)
      }
      if (this.#downstream.isGone) onGone()
    })
  }

  /**
   * Answers with a failure.
   *
   * @param isFirst `false` if the outcome was already decided, but the client does not know it
   */
  answerFailure(failure: AiProxyError, isFirst: boolean): void {
    if (!isFirst) return this.#hooks.answerNow() ? undefined : this.#downstream.destroy()
    try {
      this.#sendFailure(failure)
    } catch (error) {
      debug.stream('%s the failure could not be sent: %s', this.#exchange.id, error)
      this.#downstream.destroy()
    }
  }

  /** Sends a failure in the client's protocol; if nothing can be sent any more, closes the connection abruptly. */
  #sendFailure(failure: AiProxyError): void {
    const { begunBy } = this.#downstream
    const { errors } = this.#context.config
    this.#exchange.enter('ending')
    setClientFormat(failure, this.#exchange.format)
    this.#exchange.recorder?.fail(this.#forOthers(failure))
    if (begunBy !== undefined) return this.#endWithFailure(failure, begunBy)
    if (errors === 'next') return passToExpress(this.#exchange, failure)
    if (errors === 'respond') return this.#sendResponse(failureResponse(this.#exchange, failure))
    this.#hooks.askAboutFailure(errors, failure, (response) => this.#sendResponse(response))
  }

  /** Ends a response that has begun with a frame that reports a failure. */
  #endWithFailure(failure: AiProxyError, begunBy: 'proxy' | 'app'): void {
    const frame = begunBy === 'proxy' ? this.#frameOf(failure) : undefined
    if (frame) this.#downstream.end(frame)
    // No error can be sent within such a body: only a truncated connection shows that it is incomplete.
    else this.#downstream.destroy()
  }

  /** Ends what is kept of the answer. Whoever reads later must not take a part of it for the whole. */
  endKept(): void {
    const { recorder, isComplete, answer, format } = this.#exchange
    if (!recorder) return
    const failure = failureOfKept(this.#exchange)
    // The provider's own error was kept when it came.
    if (failure && answer.error === undefined) {
      setClientFormat(failure, format)
      recorder.fail(this.#forOthers(failure))
      const frame = this.#frameOf(failure)
      if (frame) recorder.keep(frame, undefined)
    }
    recorder.end(isComplete)
  }

  /** Closes the connection without a word to the client. */
  cutOff(): void {
    this.endKept()
    this.#downstream.destroy()
  }

  /** Returns what others who read the answer get in the place of a failure that concerns this client alone. */
  #forOthers(failure: AiProxyError): Buffer | undefined {
    const told = failureForOthers(failure)
    if (told === failure) return undefined
    setClientFormat(told, this.#exchange.format)
    return this.#frameOf(told)
  }

  #frameOf(failure: AiProxyError): Buffer | undefined {
    const { framing } = this.#opener
    const { format } = this.#exchange
    return framing && failureFrame(framing, format, format.errorBody(failure), this.#exchange.streamState())
  }

  #sendResponse({ status, headers, body }: FailureResponse): void {
    // The client may have left while the app was asked.
    if (this.#downstream.isGone) return
    try {
      this.send(status, headers, body)
    } catch (error) {
      debug.stream('%s the failure could not be sent: %s', this.#exchange.id, error)
      this.#downstream.destroy()
    }
  }
}
