import type { IncomingMessage } from 'node:http'
import { AiProxyError, limitFailure, toFailure } from '../api/errors.js'
import type { OnAnswer } from '../api/hooks.js'
import type { Exchange, ExchangeController } from '../exchange/exchange.js'
import type { FinishedAnswer } from '../request/hook-answer.js'
import { debug } from '../util/debug.js'
import type { PendingAnswer } from './carriage.js'
import type { ResponseContext } from './context.js'
import { decodeBody } from './decode.js'
import { hasBeenSent, hasDisconnected, onDisconnect } from './disconnect.js'
import { Downstream } from './downstream.js'
import type { DownstreamEvents } from './downstream-events.js'
import { OwnAnswers } from './own-answers.js'
import { ResponseHooks } from './response-hooks.js'
import type { AnswerCallbacks } from './response-limits.js'
import { ResponseOpener } from './response-opener.js'
import { mayHaveBody, type ResponsePlan, responsePlan } from './response-plan.js'
import { ResponseStream } from './response-stream.js'

/** The attempt that the response comes from, which the controller can end early. */
interface Upstream {
  end(): void
}

/** Brings one exchange to its end: sends the client the provider's answer, or an error in its place. */
export class ResponseController implements ExchangeController, DownstreamEvents, AnswerCallbacks {
  /** The current attempt, once there is one. */
  upstream: Upstream | undefined

  readonly #exchange: Exchange
  readonly #context: ResponseContext
  readonly #downstream: Downstream
  readonly #opener: ResponseOpener
  readonly #hooks: ResponseHooks
  readonly #ownAnswers: OwnAnswers
  #stream: ResponseStream | undefined
  /** The outcome of the client's disconnect has been determined. */
  #isDisconnectSettled = false
  /** When the client left, it had received the end of the answer. */
  #hasReceivedAll = false
  #isEnded = false
  readonly #stopWatching: () => void

  constructor(exchange: Exchange, context: ResponseContext) {
    this.#exchange = exchange
    this.#context = context
    this.#downstream = new Downstream(exchange.res, exchange.deadlines, () => exchange.limits.drainTimeoutMs, this)
    this.#opener = new ResponseOpener(exchange, context, this.#downstream)
    this.#hooks = new ResponseHooks(exchange, context, (failure) => this.fail(failure))
    this.#ownAnswers = new OwnAnswers(exchange, context, this.#downstream, this.#opener, this.#hooks)
    exchange.attachDownstream(this.#downstream)
    this.#stopWatching = onDisconnect(exchange.req, exchange.res, () => this.#onDisconnect())
  }

  /** Answers without the provider. */
  respond(status: number, headers: Record<string, string>, body?: string | Buffer): void {
    this.#ownAnswers.send(status, headers, body)
  }

  /** Opens the response as an event stream while the provider is still silent, if the client expects such a stream. */
  sendEarlyHeaders(): void {
    this.#opener.sendEarlyHeaders()
  }

  /** Passes the provider's response on. */
  begin(response: IncomingMessage): void {
    const exchange = this.#exchange
    const { limits } = exchange
    const status = response.statusCode ?? 502
    exchange.deadlines.stop('firstByte')
    exchange.recordProviderHead(response.statusCode)
    debug.upstream('%s status %d after %d ms', exchange.id, status, exchange.firstByteMs)
    if (status < 200 || status > 599) {
      throw new AiProxyError('upstream_reset', `The provider answered with status ${status}`)
    }
    const length = Number(response.headers['content-length'])
    if (length > limits.maxResponseBytes && mayHaveBody(exchange.req.method, status)) {
      return this.fail(limitFailure('response_too_large', limits))
    }
    const plan = responsePlan(response, exchange, this.#context.config, this.#opener.framing !== undefined)
    if (status < 400) {
      exchange.answer.add(exchange.format.readHeaders(response.headers), exchange.startedAt)
    }
    const { onResponse } = this.#context.config
    if (!onResponse) return this.#forward(response, plan)
    // Meanwhile nothing is read of the body.
    this.#hooks.askAboutHead(onResponse, plan, ({ answer, plan: changed }) => {
      if (answer) this.#answerInstead(answer)
      else this.#forward(response, changed)
    })
  }

  /** Sends the app's answer in the place of the provider's, of which nothing more is read. */
  #answerInstead(answer: FinishedAnswer): void {
    this.#stopUpstream()
    this.#exchange.replaceAnswer()
    if (this.#downstream.isGone) return this.#finish()
    this.#ownAnswers.sendFromApp(answer)
  }

  #forward(response: IncomingMessage, plan: ResponsePlan): void {
    const exchange = this.#exchange
    if (!this.#downstream.isGone) exchange.enter('streaming')
    const carriage = this.#opener.open(plan)
    const decoder = plan.createDecoder?.()
    const body = decoder ? decodeBody(response, decoder) : response
    const source = { carriage, body, decoder, isCloseDelimited: plan.isCloseDelimited }
    this.#stream = new ResponseStream(exchange, this.#context, source, this.#downstream, this)
    // The client may not have read earlier heartbeats yet.
    if (this.#downstream.isBlocked) this.#stream.pause()
  }

  /** Ends the exchange with a failure, in the client's protocol if anything can still be sent. */
  fail(failure: AiProxyError): void {
    // Failures caused by the client's disconnect are not failures.
    const { id, req, res } = this.#exchange
    if (hasDisconnected(req, res)) this.#settleDisconnect()
    if (this.#isEnded) return
    // The last bytes are being sent: nothing can follow them.
    if (this.#downstream.isEnded && !this.#downstream.isGone) return
    this.#hooks.giveUp()
    const isFirst = this.#exchange.settle(failure.outcome, failure)
    if (failure.code === 'internal_error') debug.stream('%s failed: %O', id, failure.cause ?? failure)
    if (failure.limit) debug.limit('%s %s: %s', id, failure.limit, failure.message)
    this.#stopUpstream()
    if (this.#downstream.isGone) return this.#finish()
    // The outcome was already decided, but the client does not know it.
    if (!isFirst) return this.#hooks.answerNow() ? undefined : this.#downstream.destroy()
    try {
      this.#ownAnswers.sendFailure(failure)
    } catch (error) {
      debug.stream('%s the failure could not be sent: %s', id, error)
      this.#downstream.destroy()
    }
  }

  /** Fails the exchange because the model is silent, unless the answer is one that need not have content by now. */
  failForSilence(failure: AiProxyError): void {
    if (this.#stream) this.#stream.limits.onSilence(failure)
    else this.fail(failure)
  }

  /** Ends the exchange on behalf of the app. If its last bytes are already being sent, cuts them off. */
  abort(): void {
    const failure = new AiProxyError('aborted', 'The server ended this request')
    if (this.#downstream.isEnded) this.destroy(failure)
    else this.fail(failure)
  }

  /** Closes the connection without sending an error. */
  destroy(failure: AiProxyError): void {
    this.#hooks.giveUp()
    this.#exchange.settle(failure.outcome, failure)
    this.#downstream.destroy()
  }

  onBackpressure(): void {
    this.#stream?.pause()
  }

  onDrain(): void {
    this.#stream?.resume('streaming')
  }

  onDrainTimeout(): void {
    const failure = limitFailure('slow_client', this.#exchange.limits)
    debug.limit('%s %s: %s', this.#exchange.id, failure.limit, failure.message)
    this.destroy(failure)
  }

  onUnflushable(): void {
    this.#context.onUnflushable()
  }

  onCrash(error: unknown): void {
    this.fail(toFailure(error))
  }

  /** The provider's answer is complete; ours is once the client has received its last bytes. */
  onComplete(held?: PendingAnswer): void {
    if (this.#downstream.isGone) this.#settleDisconnect()
    this.#stopUpstream()
    this.#exchange.completeAnswer()
    const { onAnswer } = this.#context.config
    if (held && onAnswer && !this.#isEnded) return this.#showAnswer(held, onAnswer)
    this.#settleReportedError()
    if (this.#downstream.isGone) return this.#finish()
    this.#exchange.enter('ending')
    this.#downstream.end()
  }

  /** Shows the app a JSON answer, then sends it, or what the app has put in its place. */
  #showAnswer({ answer, plan }: PendingAnswer, onAnswer: OnAnswer): void {
    const body = answer.drain()
    const status = this.#exchange.providerStatus ?? plan.status
    this.#hooks.askAboutAnswer(onAnswer, { body, status, isJsonByLabel: plan.isJsonByLabel }, (replacement) => {
      this.#settleReportedError()
      if (this.#downstream.isGone) return this.#finish()
      this.#exchange.enter('ending')
      this.#opener.sendHeld(plan, replacement ?? body, replacement !== undefined)
    })
  }

  /** Settles an exchange if the provider reported an error in an answer that had begun well. */
  #settleReportedError(): void {
    const { error } = this.#exchange.answer
    if (error === undefined) return
    const failure = new AiProxyError('upstream_error', `The provider failed within its answer: ${error}`)
    this.#exchange.settle(failure.outcome, failure)
  }

  /**
   * The client's side has ended. Many clients may leave at the same moment, so the rest of the work is done in turns.
   */
  #onDisconnect(): void {
    const { req, res } = this.#exchange
    if (hasBeenSent(req, res)) return this.#settleDisconnect()
    this.#closeDownstream()
    if (this.#context.config.onClientDisconnect === 'abort') this.#stream?.stop()
    const runTurn = () => {
      try {
        this.#settleDisconnect()
      } catch (error) {
        this.onCrash(error)
      }
    }
    this.#context.turns.runOrEnqueue({ runTurn, onTurnEnd: () => {} })
  }

  #closeDownstream(): void {
    if (this.#downstream.isGone) return
    const hasReadEnd = this.#stream?.limits.isTerminated === true || this.#downstream.isLingering
    this.#hasReceivedAll = hasReadEnd && !this.#downstream.isBlocked
    this.#downstream.close()
  }

  /** Determines whether the client has received everything, or has left. */
  #settleDisconnect(): void {
    const exchange = this.#exchange
    const { req, res, phase } = exchange
    if (this.#isDisconnectSettled) return
    this.#isDisconnectSettled = true
    this.#closeDownstream()
    // Many clients leave as soon as they have read the provider's last message or error.
    if (this.#opener.framing) exchange.readLastFrames()
    this.#settleReportedError()
    if (hasBeenSent(req, res)) {
      if (this.#downstream.isEnded) exchange.settleComplete()
      else exchange.settle('rejected', new AiProxyError('internal_error', 'The app ended the response itself'))
      return this.#finish()
    }
    if (this.#hasReceivedAll) {
      exchange.settleComplete()
      return this.#finish()
    }
    const hasLeft = exchange.settle('client_disconnect')
    if (hasLeft) debug.stream('%s the client left while %s', exchange.id, phase)
    const isReading = this.upstream !== undefined && req.complete && phase !== 'ending'
    if (!hasLeft || !isReading || this.#context.config.onClientDisconnect === 'abort') return this.#finish()
    this.#stream?.resume('draining')
    exchange.enter('draining')
  }

  #stopUpstream(): void {
    this.#stream?.stop()
    this.upstream?.end()
    this.#exchange.deadlines.stopAll()
  }

  #finish(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#hooks.giveUp()
    this.#stopWatching()
    this.#stopUpstream()
    this.#context.onEnd(this.#exchange)
  }
}
