import { isUtf8 } from 'node:buffer'
import type { OutgoingHttpHeaders } from 'node:http'
import { AiProxyError } from '../api/errors.js'
import type { JournalHead } from '../api/journal.js'
import type { AnswerRecorder } from '../exchange/answer-recorder.js'
import type { Exchange } from '../exchange/exchange.js'
import {
  asDataEvent,
  type Framing,
  MAX_ENCLOSED_BYTES,
  PassThroughFramer,
  sse,
  WholeBodyAsEvent,
} from '../framing/index.js'
import { type ModelAlias, modelAliasFor } from '../metering/model-alias.js'
import type { FinishedAnswer } from '../request/hook-answer.js'
import { AliasedAnswer } from './aliased-answer.js'
import type { BodyPlan, DecideBodyPlan } from './body-plan.js'
import type { ResponseContext } from './context.js'
import type { Downstream } from './downstream.js'
import { eventOfErrorBody } from './error-event.js'
import { HeldAnswer } from './held-answer.js'
import { MaskingFramer, MaskingMeter } from './masking.js'
import { meteringFor } from './metering-for.js'
import { requestIdHeader } from './request-ids.js'
import { jsonHeaders, streamHeaders, withoutActiveContent, withoutLength, withoutValidators } from './response-head.js'
import {
  type BodyKind,
  errorKindByFirstBytes,
  isReadWhole,
  kindByFirstBytes,
  type ResponsePlan,
} from './response-plan.js'

/** How long the head of a response waits for the body's first bytes, which may show what the body is. */
const FIRST_BYTES_MS = 500

/** Opens the client's response: sets its head, and decides how the body is sent. */
export class ResponseOpener {
  readonly #exchange: Exchange
  readonly #context: ResponseContext
  readonly #downstream: Downstream
  #framing: Framing | undefined
  /** The head that was sent before there was what keeps the answer. */
  #unkept: { readonly status: number; readonly headers: OutgoingHttpHeaders } | undefined

  constructor(exchange: Exchange, context: ResponseContext, downstream: Downstream) {
    this.#exchange = exchange
    this.#context = context
    this.#downstream = downstream
  }

  /** Framing of the client's stream; `undefined` if it gets none, or none yet. */
  get framing(): Framing | undefined {
    return this.#framing
  }

  /** Passes the head that the client has already to what keeps the answer. */
  attach(recorder: AnswerRecorder): void {
    if (this.#unkept) recorder.setHead(this.#unkept.status, this.#unkept.headers, this.#framing)
    this.#unkept = undefined
  }

  /**
   * Opens the response as an event stream while the provider is still silent, if the client expects such a stream.
   *
   * @param further headers, if nothing is kept so far
   */
  sendEarlyHeaders(further: Readonly<Record<string, string>> = {}): void {
    const { req, format, res } = this.#exchange
    if (this.#downstream.begunBy || this.#downstream.isGone || !format.streamsSse(req.url)) return
    this.#framing = sse
    const given = { ...requestIdHeader(this.#exchange), ...further }
    this.#openUnkept(200, streamHeaders(given, sse, res.getHeader('cache-control')), sse)
    this.#downstream.sendHeartbeat()
    this.#downstream.startHeartbeat(this.#context.config.heartbeat.everyMs)
  }

  /**
   * Opens the response by its plan. If the head does not show what the body is, waits for the first bytes to show it,
   * but not for too long.
   */
  open(plan: ResponsePlan): BodyPlan | DecideBodyPlan {
    if (plan.kind) return this.#openAs(plan, plan.kind)
    const { deadlines, asksForStream } = this.#exchange
    const isError = plan.providerStatus >= 400 && !this.#framing
    const mustOpenSoon = asksForStream && !this.#framing && !isError
    if (mustOpenSoon) deadlines.start('first bytes', FIRST_BYTES_MS, () => this.#openUnknown(plan))
    return (start, isAll) => {
      const kind = isError
        ? errorKindByFirstBytes(start, isAll)
        : kindByFirstBytes(start, isAll, this.#exchange, plan.providerType)
      if (!kind) return undefined
      deadlines.stop('first bytes')
      return this.#openAs(plan, kind)
    }
  }

  /**
   * Sends the head of a body that has not begun. If the path streams events whenever it streams, the response becomes
   * an event stream, and any other body one event of it, as with `heartbeat.beforeFirstByte`.
   */
  #openUnknown({ status, headers, isEmpty, isJsonByLabel }: ResponsePlan): void {
    const { format, req, res } = this.#exchange
    const { config } = this.#context
    if (this.#downstream.isGone || this.#downstream.begunBy) return
    const isEvents = !format.isGuess && !isJsonByLabel && format.streamsSse(req.url)
    this.#framing = isEvents ? sse : undefined
    const safe = isEvents ? headers : withoutActiveContent(headers, isEmpty, res)
    this.#downstream.openStream(
      status,
      streamHeaders(safe, this.#framing, res.getHeader('cache-control')),
      this.#framing,
    )
    this.#downstream.flushHead()
    if (isEvents) this.#downstream.startHeartbeat(config.heartbeat.everyMs)
  }

  /** Opens the response unless it is open. If it is open as an event stream, another body becomes one event of it. */
  #openAs(plan: ResponsePlan, kind: BodyKind): BodyPlan {
    const { framing } = kind
    const exchange = this.#exchange
    const { config, registry } = this.#context
    if (framing && !exchange.countsAsStream) registry.admitStream(exchange, exchange.limits)
    if (config.onAnswer && kind.isJson && !plan.isEmpty) return this.#holdAnswer(plan)
    if (this.#framing !== undefined && framing !== this.#framing) return this.#asOneEvent(plan, kind, this.#framing)
    const { secrets } = exchange
    const metering = meteringFor(exchange, framing, isReadWhole(kind), config)
    exchange.attachMetering(metering)
    const alias = kind.isJson && !plan.isEmpty ? this.#alias : undefined
    this.#setHead(alias ? { ...plan, headers: withoutLength(plan.headers) } : plan, kind)
    const isMasked = (plan.isText || kind.isJson) && !secrets.isEmpty
    const plainFramer = isMasked ? new MaskingFramer(secrets) : new PassThroughFramer()
    if (alias) {
      const framer = new AliasedAnswer(alias.createReplacer(), plainFramer, metering)
      return { framer, metering: undefined, framing: undefined, isEnclosed: false }
    }
    const framer = framing?.createFramer(exchange.limits.maxEventBytes) ?? plainFramer
    if (framer.heartbeat) this.#downstream.startHeartbeat(config.heartbeat.everyMs)
    const masked = framing && !secrets.isEmpty ? new MaskingMeter(secrets, framing, metering) : metering
    return { framer, metering: masked, framing, isEnclosed: false }
  }

  /** Writes the client's name of the model into the answer, if the app wants that. */
  get #alias(): ModelAlias | undefined {
    return modelAliasFor(this.#exchange.format, this.#exchange.answerAlias)
  }

  /** Holds a JSON answer until it is whole, for the app to see it. Its head waits as well, if it can. */
  #holdAnswer(plan: ResponsePlan): BodyPlan {
    const exchange = this.#exchange
    const { secrets, limits } = exchange
    const metering =
      plan.providerStatus < 400 ? meteringFor(exchange, undefined, true, this.#context.config) : undefined
    exchange.attachMetering(metering)
    const inner = secrets.isEmpty ? new PassThroughFramer() : new MaskingFramer(secrets)
    const most = this.#framing ? Math.min(limits.maxEventBytes, MAX_ENCLOSED_BYTES) : limits.maxEventBytes
    const answer = new HeldAnswer(most, inner, metering)
    return { framer: answer, metering: undefined, framing: undefined, isEnclosed: false, held: { answer, plan } }
  }

  /**
   * Opens the response with the head of a kept answer.
   *
   * @param further headers of this response alone
   */
  openKept(head: JournalHead, framing: Framing | undefined, further: Readonly<Record<string, string>>): void {
    const { res } = this.#exchange
    const given = { ...head.headers, ...requestIdHeader(this.#exchange), ...further } as OutgoingHttpHeaders
    if (this.#downstream.begunBy) {
      // It was opened as an event stream before anything was known.
      if (framing !== this.#framing) throw new AiProxyError('upstream_error', 'The kept answer is not a stream')
      return
    }
    this.#framing = framing
    if (!framing) return this.#downstream.open(head.status, withoutActiveContent(given, false, res))
    this.#openUnkept(head.status, streamHeaders(given, framing, res.getHeader('cache-control')), framing)
    if (framing.createFramer(1).heartbeat) this.#downstream.startHeartbeat(this.#context.config.heartbeat.everyMs)
  }

  /** Opens a stream of which nothing may be kept so far, and whose answer may be. */
  #openUnkept(status: number, headers: OutgoingHttpHeaders, framing: Framing): void {
    if (!this.#exchange.recorder) this.#unkept = { status, headers }
    this.#downstream.openStream(status, headers, framing)
  }

  /**
   * Sends a JSON answer that was held, and ends the response.
   *
   * @param isReplaced the body is the app's
   */
  sendHeld({ status, headers, providerStatus, providerType }: ResponsePlan, body: Buffer, isReplaced: boolean): void {
    if (this.#framing) return this.#downstream.end(this.#eventOf(body, providerStatus, true))
    const named = this.#alias?.inJson(body) ?? body
    if (!this.#downstream.begunBy) {
      const isChanged = isReplaced || named !== body
      const labelled = jsonHeaders(isChanged ? withoutValidators(headers) : headers, providerType)
      labelled['content-length'] = String(named.length)
      this.#downstream.open(status, withoutActiveContent(labelled, named.length === 0, this.#exchange.res))
    }
    this.#downstream.end(named)
  }

  #setHead({ status, headers, providerType, isEmpty }: ResponsePlan, { framing, isJson }: BodyKind): void {
    const { res } = this.#exchange
    const isOpen = this.#framing !== undefined || this.#downstream.begunBy === 'proxy'
    this.#framing = framing
    if (isOpen) return
    if (framing) {
      this.#downstream.openStream(status, streamHeaders(headers, framing, res.getHeader('cache-control')), framing)
    } else {
      const labelled = isJson ? jsonHeaders(headers, providerType) : headers
      this.#downstream.open(status, withoutActiveContent(labelled, isEmpty, res))
    }
  }

  /** Sends a body that is not a stream of the client's framing as one event. */
  #asOneEvent(plan: ResponsePlan, kind: BodyKind, clientFraming: Framing): BodyPlan {
    const exchange = this.#exchange
    const { config } = this.#context
    exchange.attachMetering(meteringFor(exchange, undefined, isReadWhole(kind) || kind.framing !== undefined, config))
    const isReadable = !plan.headers['content-encoding']
    const framer = new WholeBodyAsEvent(exchange.limits.maxEventBytes, (body) =>
      this.#eventOf(exchange.secrets.maskBytes(body), plan.providerStatus, isReadable),
    )
    return { framer, metering: undefined, framing: clientFraming, isEnclosed: true }
  }

  /** The app's answer, for a client whose response was opened as an event stream. */
  eventOfAnswer({ status, content }: FinishedAnswer): Buffer | string | undefined {
    const body = Buffer.from(content ?? '')
    if (status < 400) return body.length > 0 ? asDataEvent(body) : undefined
    const failure = new AiProxyError('request_refused', 'The request was refused', { status })
    return eventOfErrorBody(body, failure, this.#exchange)
  }

  /** Returns the event for what the provider sent instead of a stream; unchanged if it is an error in JSON. */
  #eventOf(body: Buffer, status: number, isText: boolean): Buffer | string {
    const exchange = this.#exchange
    const { answer } = exchange
    exchange.readCompleteAnswer(body)
    const isError = status >= 400 || answer.error !== undefined
    if (!isError && isText && body.length > 0 && isUtf8(body)) return asDataEvent(this.#alias?.inJson(body) ?? body)
    const what = isError ? 'an error' : 'neither a stream nor a text'
    const said = answer.error === undefined ? '' : `: ${exchange.secrets.mask(answer.error)}`
    const failure = new AiProxyError('upstream_error', `The provider answered with ${what} (status ${status})${said}`)
    exchange.settle(status < 400 ? failure.outcome : 'provider_error', failure)
    return eventOfErrorBody(body, failure, exchange)
  }
}
