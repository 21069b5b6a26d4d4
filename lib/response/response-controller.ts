import type { IncomingMessage } from 'node:http'
import { AiProxyError, limitFailure, toFailure } from '../api/errors.js'
import type { AnswerRecorder } from '../exchange/answer-recorder.js'
import type { Exchange, ExchangeController } from '../exchange/exchange.js'
import type { Config } from '../options/config.js'
import type { FinishedAnswer } from '../request/hook-answer.js'
import { debug } from '../util/debug.js'
import { answerStartFor } from './answer-start.js'
import type { PendingAnswer } from './body-plan.js'
import { ClientPace } from './client-pace.js'
import type { ResponseContext } from './context.js'
import { decodeBody } from './decode.js'
import { hasDisconnected } from './disconnect.js'
import { DisconnectHandler } from './disconnect-handler.js'
import { Downstream } from './downstream.js'
import type { DownstreamEvents } from './downstream-events.js'
import { OwnAnswers } from './own-answers.js'
import { readProviderHead } from './provider-head.js'
import type { ReplayRequest, ReplayResult } from './replay.js'
import { Replays } from './replays.js'
import { settleReportedError } from './reported-error.js'
import { ResponseHooks } from './response-hooks.js'
import type { AnswerCallbacks } from './response-limits.js'
import { ResponseOpener } from './response-opener.js'
import type { ResponsePlan } from './response-plan.js'
import { ResponseStream } from './response-stream.js'

/** The attempt that the response comes from, which the controller can end early. */
interface Upstream {
  /** A request has gone out, and its answer is there or may come. */
  readonly isUnderWay: boolean
  end(): void
}

/** Brings one exchange to its end: sends the client the provider's answer, or an error in its place. */
export class ResponseController implements ExchangeController, DownstreamEvents, AnswerCallbacks {
  /** The current attempt, once there is one. */
  upstream: Upstream | undefined
  /** The provider's answer, once it has begun. */
  stream: ResponseStream | undefined
  /** Exists if kept answers were to go out in the place of the provider's. */
  replays: Replays | undefined
  readonly pace: ClientPace

  readonly #exchange: Exchange
  readonly #context: ResponseContext
  readonly #downstream: Downstream
  readonly #opener: ResponseOpener
  readonly #hooks: ResponseHooks
  readonly #ownAnswers: OwnAnswers
  readonly #disconnectHandler: DisconnectHandler
  #isEnded = false

  constructor(exchange: Exchange, context: ResponseContext) {
    this.#exchange = exchange
    this.#context = context
    const downstream = new Downstream(exchange.res, exchange.deadlines, () => exchange.limits.drainTimeoutMs, this)
    const opener = new ResponseOpener(exchange, context, downstream)
    this.#downstream = downstream
    this.#opener = opener
    this.#hooks = new ResponseHooks(exchange, context, this)
    this.#ownAnswers = new OwnAnswers(exchange, context, downstream, opener, this.#hooks)
    this.pace = new ClientPace(exchange, context, downstream, this)
    exchange.traffic.attachDownstream(downstream)
    this.#disconnectHandler = new DisconnectHandler(exchange, context, downstream, opener, this)
  }

  /** Keeps the answer. Called before anything of it is sent. */
  record(recorder: AnswerRecorder): void {
    this.#exchange.recorder = recorder
    this.#downstream.recorder = recorder
    this.#opener.attach(recorder)
  }

  /** Set if the client has a head already. Its stream has the id that this head names, or none. */
  get opened(): { readonly streamId: string | undefined } | undefined {
    if (this.#downstream.begunBy !== 'proxy') return undefined
    const id = this.#exchange.res.getHeader('x-stream-id')
    return { streamId: typeof id === 'string' ? id : undefined }
  }

  /** Answers with a kept answer. @returns a promise of what came of it */
  async replay(request: ReplayRequest): Promise<ReplayResult> {
    // The client may have left while it was looked up. A reader that nothing stops would keep the provider going.
    if (this.#isEnded) return 'served'
    this.replays ??= new Replays({
      exchange: this.#exchange,
      context: this.#context,
      downstream: this.#downstream,
      opener: this.#opener,
      fail: (failure) => this.fail(failure),
    })
    return this.replays.answer(request)
  }

  /** Answers without the provider. */
  respond(status: number, headers: Record<string, string>, body?: string | Buffer): void {
    this.#ownAnswers.send(status, headers, body)
  }

  /**
   * Opens the response as an event stream while the provider is still silent, if the client expects such a stream.
   *
   * @param further headers, if it is not known yet whether the answer is kept
   */
  sendEarlyHeaders(further?: Readonly<Record<string, string>>): void {
    this.#opener.sendEarlyHeaders(further)
  }

  /**
   * Passes a provider's response on.
   *
   * @param config the options of its target
   * @param headAt when its head arrived, in monotonic milliseconds
   * @throws AiProxyError if it cannot be passed on
   */
  begin(response: IncomingMessage, config: Config = this.#context.config, headAt?: number): void {
    const plan = readProviderHead(response, this.#exchange, config, this.#opener.framing !== undefined, headAt)
    if (plan.lacksCodec) this.#context.onMissingCodec()
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
    this.#ownAnswers.sendFromApp(answer)
    if (this.#downstream.isGone) this.finish()
  }

  #forward(response: IncomingMessage, plan: ResponsePlan): void {
    const exchange = this.#exchange
    if (!this.#downstream.isGone) exchange.enter('streaming')
    const bodyPlan = this.#opener.open(plan)
    const decoder = plan.createDecoder?.()
    const body = decoder ? decodeBody(response, decoder) : response
    const answerStart = answerStartFor(response, exchange)
    const source = { bodyPlan, body, answerStart, decoder, isCloseDelimited: plan.isCloseDelimited }
    this.stream = new ResponseStream(exchange, this.#context, source, this.#downstream, this)
    // The client may not have read earlier heartbeats yet.
    if (this.#downstream.isBlocked) this.stream.pause()
  }

  /** Ends the exchange with a failure, in the client's protocol if anything can still be sent. */
  fail(failure: AiProxyError): void {
    // Failures caused by the client's disconnect are not failures.
    const { id, client } = this.#exchange
    if (hasDisconnected(client)) this.#disconnectHandler.settle()
    if (this.#isEnded) return
    // The last bytes are being sent: nothing can follow them.
    if (this.#downstream.isEnded && !this.#downstream.isGone) return
    if (this.stream?.limits.completeIfReported() || this.replays?.current?.completeIfReported()) return
    this.#hooks.giveUp()
    const isFirst = this.#exchange.settle(failure.outcome, failure)
    if (failure.code === 'internal_error') debug.stream('%s failed: %O', id, failure.cause ?? failure)
    if (failure.limit) debug.limit('%s %s: %s', id, failure.limit, failure.message)
    this.#stopUpstream()
    if (this.#downstream.isGone) return this.finish()
    this.#ownAnswers.answerFailure(failure, isFirst)
  }

  /** Fails the exchange because the model is silent, unless the answer is one that need not have content by now. */
  failForSilence(failure: AiProxyError): void {
    if (this.stream) this.stream.limits.onSilence(failure)
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
    this.#ownAnswers.cutOff()
  }

  onBackpressure(): void {
    this.pace.onBackpressure()
  }

  onDrain(): void {
    this.pace.onDrain()
  }

  /** Others have begun, or ceased, to read the answer. */
  onReaders(): void {
    this.pace.onReaders()
  }

  onDrainTimeout(): void {
    if (this.pace.canLoseClient) return this.#downstream.disconnect()
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

  /** The provider's answer is complete. The client's is complete once its last bytes have been received. */
  onComplete(held?: PendingAnswer): void {
    if (this.#downstream.isGone) this.#disconnectHandler.settle()
    this.#stopUpstream()
    this.#exchange.completeAnswer()
    const { onAnswer } = this.#context.config
    if (held && onAnswer && !this.#isEnded) return this.#ownAnswers.askAndSend(held, onAnswer, () => this.finish())
    settleReportedError(this.#exchange)
    if (this.#downstream.isGone) return this.finish()
    this.#exchange.enter('ending')
    this.#downstream.end()
  }

  #stopUpstream(): void {
    this.stream?.stop()
    this.replays?.current?.stop()
    this.upstream?.end()
    this.#exchange.deadlines.stopAll()
  }

  /** Ends the exchange, whose outcome is settled. */
  finish(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#hooks.giveUp()
    this.#disconnectHandler.stopWatching()
    this.#stopUpstream()
    this.pace.stop()
    this.#ownAnswers.endKept()
    this.#context.onEnd(this.#exchange)
  }
}
