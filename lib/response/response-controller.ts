import type { IncomingMessage } from 'node:http'
import { AiProxyError, limitFailure, tellIn, toFailure } from '../api/errors.js'
import type { OnFailure, OnResponse } from '../api/hooks.js'
import type { Endable, Exchange } from '../exchange/exchange.js'
import { isRejection } from '../options/hook-rejection.js'
import type { FinishedAnswer } from '../request/hook-answer.js'
import { debug } from '../util/debug.js'
import { runAnswerHook } from './answer-hook.js'
import type { PendingAnswer } from './carriage.js'
import type { ResponseContext } from './context.js'
import { decoded } from './decode.js'
import { hasBeenSent, hasDisconnected, onDisconnect } from './disconnect.js'
import { Downstream } from './downstream.js'
import type { DownstreamEvents } from './downstream-events.js'
import {
  askForResponse,
  type FailureResponse,
  failureFrame,
  failureResponse,
  passToExpress,
} from './failure-response.js'
import { waitForHook } from './hook-wait.js'
import { runResponseHook } from './response-hook.js'
import type { AnswerCallbacks } from './response-limits.js'
import { ResponseOpener } from './response-opener.js'
import { mayHaveBody, type ResponsePlan, responsePlan } from './response-plan.js'
import { ResponseStream } from './response-stream.js'

/** What the controller can end early: the attempt that its response comes from. */
interface Upstream {
  end(): void
}

/**
 * Brings one exchange to its end: the provider's answer to the client, or an error in its place.
 *
 * It is the listener of what it sets going, rather than an object literal with a function for each event: V8 promotes such
 * literals, if they are made by the thousand, to the old generation, and all that they refer to stays with them.
 */
export class ResponseController implements Endable, DownstreamEvents, AnswerCallbacks {
  /** The attempt that runs, once there is one. */
  upstream: Upstream | undefined

  readonly #exchange: Exchange
  readonly #context: ResponseContext
  readonly #downstream: Downstream
  readonly #opener: ResponseOpener
  #stream: ResponseStream | undefined
  /** What the client's disconnect means has been worked out. */
  #isDisconnectSettled = false
  /** When the client left, it had read that the answer is over. */
  #hasGotAll = false
  #isOver = false
  /** What a hook of the app's still decides is of no use any more. */
  #isGivenUp = false
  readonly #stopWatching: () => void

  constructor(exchange: Exchange, context: ResponseContext) {
    this.#exchange = exchange
    this.#context = context
    this.#downstream = new Downstream(exchange.res, exchange.deadlines, () => exchange.limits.drainTimeoutMs, this)
    this.#opener = new ResponseOpener(exchange, context, this.#downstream)
    exchange.attachDownstream(this.#downstream)
    this.#stopWatching = onDisconnect(exchange.req, exchange.res, () => this.#onDisconnect())
  }

  /** Answers without the provider. */
  respond(status: number, headers: Record<string, string>, body?: string | Buffer): void {
    this.#exchange.enter('ending')
    this.#exchange.deadlines.stop('firstByte')
    this.#exchange.deadlines.stop('firstToken')
    this.#downstream.open(status, headers)
    this.#downstream.end(this.#exchange.req.method === 'HEAD' ? undefined : body)
  }

  /** Opens the response as an event stream while the provider is still silent, if the client reads such a stream. */
  sendEarlyHeaders(): void {
    this.#opener.sendEarlyHeaders()
  }

  /** Passes the provider's response on. */
  begin(response: IncomingMessage): void {
    const exchange = this.#exchange
    const { limits } = exchange
    const status = response.statusCode ?? 502
    exchange.deadlines.stop('firstByte')
    exchange.noteProviderHead(response.statusCode)
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
      exchange.answer.note(exchange.format.readHeaders(response.headers), exchange.startedAt)
    }
    const { onResponse } = this.#context.config
    if (onResponse) this.#askAbout(response, plan, onResponse)
    else this.#pass(response, plan)
  }

  /** Asks the app about the provider's response; meanwhile nothing is read of its body. */
  #askAbout(response: IncomingMessage, given: ResponsePlan, onResponse: OnResponse): void {
    const exchange = this.#exchange
    const { hookErrors } = this.#context.config
    const run = () => runResponseHook(onResponse, exchange, given)
    const hook = hookErrors.reporting('onResponse', run, () => exchange.hookView(), isRejection)()
    void waitForHook(exchange, hook, {
      isGivenUp: () => this.#isGivenUp,
      goOn: ({ answer, plan }) => (answer ? this.#answerInstead(answer) : this.#pass(response, plan)),
      fail: (failure) => this.fail(failure),
    }).finally(() => {
      if (!this.#stream) given.decoder?.destroy()
    })
  }

  /** Sends the app's answer in the place of the provider's, of which nothing more is read. */
  #answerInstead(answer: FinishedAnswer): void {
    this.#stopUpstream()
    this.#exchange.replaceAnswer()
    if (this.#downstream.isGone) return this.#over()
    const { status, headers, content } = answer
    if (this.#opener.framing === undefined) return this.respond(status, headers, content)
    this.#exchange.enter('ending')
    this.#downstream.end(this.#opener.eventOfAnswer(answer))
  }

  #pass(response: IncomingMessage, plan: ResponsePlan): void {
    const exchange = this.#exchange
    if (!this.#downstream.isGone) exchange.enter('streaming')
    const source = {
      carriage: this.#opener.open(plan),
      body: plan.decoder ? decoded(response, plan.decoder) : response,
      decoder: plan.decoder,
      isCloseDelimited: plan.isCloseDelimited,
    }
    this.#stream = new ResponseStream(exchange, this.#context, source, this.#downstream, this)
    // The client may have left heartbeats unread that were sent before.
    if (this.#downstream.isBlocked) this.#stream.pause()
  }

  /** Ends the exchange with a failure, in the client's own protocol, as far as something can still be said. */
  fail(failure: AiProxyError): void {
    // What fails because the client has left is no failure.
    const { id, req, res } = this.#exchange
    if (hasDisconnected(req, res)) this.#settleDisconnect()
    if (this.#isOver) return
    // The last bytes are on their way: nothing can follow them.
    if (this.#downstream.isEnded && !this.#downstream.isGone) return
    this.#isGivenUp = true
    const isFirst = this.#exchange.settle(failure.outcome, failure)
    if (failure.code === 'internal_error') debug.stream('%s failed: %O', id, failure.cause ?? failure)
    if (failure.limit) debug.limit('%s %s: %s', id, failure.limit, failure.message)
    this.#stopUpstream()
    if (this.#downstream.isGone) return this.#over()
    // The outcome was already decided, but the client has not been told.
    if (!isFirst) return this.#downstream.destroy()
    try {
      this.#respondWith(failure)
    } catch (error) {
      debug.stream('%s the failure could not be sent: %s', id, error)
      this.#downstream.destroy()
    }
  }

  /** Fails the exchange because the model is silent, unless what has come is an answer that need not have content by now. */
  failForSilence(failure: AiProxyError): void {
    if (this.#stream) this.#stream.limits.onSilence(failure)
    else this.fail(failure)
  }

  /** Ends the exchange because the app wants it; if its last bytes are on their way already, by cutting them off. */
  abort(): void {
    const failure = new AiProxyError('aborted', 'The server ended this request')
    if (this.#downstream.isEnded) this.destroy(failure)
    else this.fail(failure)
  }

  /** Closes the connection without a word. */
  destroy(failure: AiProxyError): void {
    this.#isGivenUp = true
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

  /** The provider's answer is complete: so is ours, once the client has got its last bytes. */
  onComplete(held?: PendingAnswer): void {
    if (this.#downstream.isGone) this.#settleDisconnect()
    this.#stopUpstream()
    this.#exchange.completeAnswer()
    if (held && !this.#isOver) return this.#showAnswer(held)
    this.#settleReportedError()
    if (this.#downstream.isGone) return this.#over()
    this.#exchange.enter('ending')
    this.#downstream.end()
  }

  /** Shows the app a JSON answer, then sends it, or what the app has put in its place. */
  #showAnswer({ answer, plan }: PendingAnswer): void {
    const exchange = this.#exchange
    const { turns, config } = this.#context
    const body = answer.take()
    const isGivenUp = () => this.#isGivenUp
    const whole = { body, status: exchange.providerStatus ?? plan.status, isJsonByLabel: plan.isJsonByLabel }
    const run = () => runAnswerHook(config.onAnswer!, exchange, whole, turns, isGivenUp)
    void waitForHook(exchange, config.hookErrors.reporting('onAnswer', run, () => exchange.hookView(), isRejection)(), {
      isGivenUp,
      goOn: (replacement) => {
        this.#settleReportedError()
        if (this.#downstream.isGone) return this.#over()
        exchange.enter('ending')
        this.#opener.sendHeld(plan, replacement ?? body, replacement !== undefined)
      },
      fail: (failure) => this.fail(failure),
    })
  }

  #respondWith(failure: AiProxyError): void {
    const { begun } = this.#downstream
    this.#exchange.enter('ending')
    const { errors } = this.#context.config
    tellIn(failure, this.#exchange.format)
    if (begun === undefined && errors === 'next') return passToExpress(this.#exchange, failure)
    if (begun === undefined && typeof errors === 'function') return this.#askAboutFailure(failure, errors)
    if (begun === undefined) {
      const { status, headers, body } = failureResponse(this.#exchange, failure)
      return this.respond(status, headers, body)
    }
    const { format } = this.#exchange
    const framing = begun === 'ours' ? this.#opener.framing : undefined
    const frame = framing && failureFrame(framing, format, format.errorBody(failure), this.#exchange.streamState())
    if (frame) this.#downstream.end(frame)
    // Nothing can be said within such a body: only a connection that is cut short says that the body is not whole.
    else this.#downstream.destroy()
  }

  /** Asks the app how to answer a failure; if it takes too long, the default answer goes out. */
  #askAboutFailure(failure: AiProxyError, onFailure: OnFailure): void {
    const exchange = this.#exchange
    let isAnswered = false
    const answerWith = ({ status, headers, body }: FailureResponse) => {
      if (isAnswered || this.#isOver || this.#downstream.isGone) return
      isAnswered = true
      exchange.deadlines.stop('hook')
      try {
        this.respond(status, headers, body)
      } catch (error) {
        debug.stream('%s the failure could not be sent: %s', exchange.id, error)
        this.#downstream.destroy()
      }
    }
    const byDefault = () => answerWith(failureResponse(exchange, failure))
    exchange.deadlines.start('hook', exchange.limits.firstByteTimeoutMs, byDefault)
    void askForResponse(onFailure, exchange, failure, this.#context.config.hookErrors).then(answerWith)
  }

  /** Settles an exchange whose provider said, in an answer that had begun well, that it failed. */
  #settleReportedError(): void {
    const { error } = this.#exchange.answer
    if (error === undefined) return
    const failure = new AiProxyError('upstream_error', `The provider failed within its answer: ${error}`)
    this.#exchange.settle(failure.outcome, failure)
  }

  /** The client's connection is done with. Many may leave at the same moment, so the rest of the work is done in turns. */
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
    this.#hasGotAll = hasReadEnd && !this.#downstream.isBlocked
    this.#downstream.close()
  }

  /** Works out whether the client has got everything, or has left. */
  #settleDisconnect(): void {
    const exchange = this.#exchange
    const { req, res, phase } = exchange
    if (this.#isDisconnectSettled) return
    this.#isDisconnectSettled = true
    this.#closeDownstream()
    // Many clients leave as soon as they have read that the provider is done, or that it failed.
    if (this.#opener.framing) exchange.readLastFrames()
    this.#settleReportedError()
    if (hasBeenSent(req, res)) {
      if (this.#downstream.isEnded) exchange.settleWhole()
      else exchange.settle('rejected', new AiProxyError('internal_error', 'The app ended the response itself'))
      return this.#over()
    }
    if (this.#hasGotAll) {
      exchange.settleWhole()
      return this.#over()
    }
    const hasLeft = exchange.settle('client_disconnect')
    if (hasLeft) debug.stream('%s the client left while %s', exchange.id, phase)
    const isReading = this.upstream !== undefined && req.complete && phase !== 'ending'
    if (!hasLeft || !isReading || this.#context.config.onClientDisconnect === 'abort') return this.#over()
    this.#stream?.resume('draining')
    exchange.enter('draining')
  }

  #stopUpstream(): void {
    this.#stream?.stop()
    this.upstream?.end()
    this.#exchange.deadlines.stopAll()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = this.#isGivenUp = true
    this.#stopWatching()
    this.#stopUpstream()
    this.#context.onOver(this.#exchange)
  }
}
