import { AsyncResource } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import type { NextFunction, Request, Response } from 'express'
import type { AiProxyError, Outcome } from '../api/errors.js'
import type { HookedExchange } from '../api/hooks.js'
import type { ResolvedLimits } from '../api/limits.js'
import type { ExchangeRecord, ExchangeSnapshot, Phase } from '../api/record.js'
import type { Subject } from '../api/subject.js'
import { type CompleteFormat, detectFormat, type StreamState } from '../formats/index.js'
import { defaultLimits } from '../options/limits.js'
import { memoize } from '../util/memoize.js'
import type { Secrets } from '../util/secrets.js'
import { tenantKey } from '../util/tenant-key.js'
import type { AnswerRecorder } from './answer-recorder.js'
import { AttemptLog } from './attempts.js'
import { ClientSide } from './client-side.js'
import { Deadlines } from './deadlines.js'
import { EndingSignal } from './ending-signal.js'
import { ExchangeView } from './exchange-view.js'
import type { HeldShare } from './held-bytes.js'
import type { Indexed } from './indexed-set.js'
import type { Metering } from './metering.js'
import type { ExchangePolicies } from './policies.js'
import { Traffic } from './traffic.js'
import { UsageAccumulator } from './usage-accumulator.js'

/** Ends an exchange from outside: with a failure, by closing its connection, or on behalf of the app. */
export interface ExchangeController {
  fail(failure: AiProxyError): void
  destroy(failure: AiProxyError): void
  abort(): void
}

/** Returns the format of a path. */
export const formatOf = memoize(detectFormat)

/** One request and its response: its phase, what has passed, and how and why it ended. */
export class Exchange implements Indexed {
  readonly id = randomUUID()
  /** The app's asynchronous context of this request: what it keeps in an `AsyncLocalStorage` must not reach another. */
  readonly asyncContext = new AsyncResource('AiProxyExchange')
  readonly deadlines = new Deadlines(undefined, this.asyncContext)
  readonly req: Request
  readonly res: Response
  readonly client: ClientSide
  readonly next: NextFunction
  readonly startedAt = Date.now()
  readonly traffic = new Traffic()
  /** Accumulates what the messages of the provider's answer say. */
  readonly answer = new UsageAccumulator()
  /** Its tries at targets. */
  readonly attempts = new AttemptLog()
  /** Called once it has ended, by what routes it to targets. */
  onEnd: ((record: ExchangeRecord) => void) | undefined
  /** The middleware's limits; after admission the request's own, if the app sets any. */
  limits: ResolvedLimits
  /** Set once they are asked, until they have been notified of its end. Only `handle/exchange-policies.ts` sets it. */
  policies: ExchangePolicies | undefined
  /** Keeps its answer, if it is kept. */
  recorder: AnswerRecorder | undefined
  /** Whether its answer came from the cache or from another exchange; `undefined` if it is not shared. */
  cache: 'hit' | 'miss' | 'join' | undefined
  /** Its share of the request bodies in memory. */
  held: HeldShare | undefined
  /** Name of the model that the client sees in the answer; `undefined` if it sees the provider's. */
  answerAlias: string | undefined
  /** How many choices the request asks for. */
  choicesAsked = 1
  /** Something has to come in JSON, or as a stream, if the provider answers with status 200. */
  isAnsweredInJson = false
  /**
   * Whether it counts towards `maxConcurrentExchanges`, and towards `maxConcurrentStreams`. Only the registry sets
   * these and the next two.
   */
  isAdmitted = false
  countsAsStream = false
  /** Ends it while it is under way. */
  controller: ExchangeController | undefined
  /** Its index among the exchanges under way. */
  index = -1

  /** Start in monotonic milliseconds. */
  readonly began = performance.now()
  #phase: Phase = 'receiving'
  #path: string
  #format: CompleteFormat
  #subject: Subject | undefined
  #allowsModel: ((model: string) => boolean) | undefined
  #model: string | undefined
  #asksForStream = false
  #firstByteMs: number | undefined
  #providerStatus: number | undefined
  #providerRequestId: string | undefined
  #metering: Metering | undefined
  #isComplete = false
  #isReplaced = false
  #outcome: Outcome | undefined
  #failure: AiProxyError | undefined
  readonly #ending = new EndingSignal()
  #view: HookedExchange | undefined

  /**
   * @param next gets the failures that the app wants to answer itself
   * @param limits of the middleware
   */
  constructor(req: Request, res: Response, next: NextFunction = () => {}, limits: ResolvedLimits = defaultLimits) {
    this.limits = limits
    this.req = req
    this.res = res
    this.client = new ClientSide(req, res)
    this.next = next
    const { url } = this.client
    const mark = url.indexOf('?')
    this.#path = mark === -1 ? url : url.slice(0, mark)
    this.#format = formatOf(this.#path)
  }

  /** Milliseconds since the start. */
  get age(): number {
    return performance.now() - this.began
  }

  get phase(): Phase {
    return this.#phase
  }

  enter(phase: Phase): void {
    this.#phase = phase
  }

  /** The path below the target. */
  get path(): string {
    return this.#path
  }

  /** The protocol that the client uses. */
  get format(): CompleteFormat {
    return this.#format
  }

  /** Sets the request's path and its format. */
  route(path: string, format: CompleteFormat): void {
    this.#path = path
    this.#format = format
  }

  /** Whom the request belongs to. */
  get subject(): Subject | undefined {
    return this.#subject
  }

  /** Key of the tenant whose turns it uses: a subject without a tenant is one of its own. */
  get tenant(): string | undefined {
    return this.#subject && tenantKey(this.#subject)
  }

  /** Whether the subject may ask for a model; `undefined` if it may ask for all. */
  get allowsModel(): ((model: string) => boolean) | undefined {
    return this.#allowsModel
  }

  /** Sets whom the request belongs to, and the models that it may ask for. */
  identify(subject: Subject, allowsModel: ((model: string) => boolean) | undefined): void {
    this.#subject = subject
    this.#allowsModel = allowsModel
  }

  /** The model that the request names. */
  get model(): string | undefined {
    return this.#model
  }

  get asksForStream(): boolean {
    return this.#asksForStream
  }

  /** Sets what the request asks for. */
  describe(model: string | undefined, asksForStream: boolean): void {
    this.#model = model
    this.#asksForStream = asksForStream
  }

  /** Secrets in the request to the provider, which must not reach the client. */
  get secrets(): Secrets {
    return this.attempts.request.secrets
  }

  /** We asked for the usage event, and the client did not: hide it. */
  get hidesUsage(): boolean {
    return this.attempts.request.hidesUsage
  }

  /** Milliseconds from the start to the head of the provider's response. */
  get firstByteMs(): number | undefined {
    return this.#firstByteMs
  }

  get providerStatus(): number | undefined {
    return this.#providerStatus
  }

  /** The provider's id of the request, as it came: not masked, and of any length. */
  get providerRequestId(): string | undefined {
    return this.#providerRequestId
  }

  /**
   * Records that the head of the provider's response has arrived.
   *
   * @param at when it did, in monotonic milliseconds
   */
  recordProviderHead(status: number | undefined, requestId?: string, at = performance.now()): void {
    this.#firstByteMs = at - this.began
    this.#providerStatus = status
    this.#providerRequestId = requestId
  }

  /** Whether the provider's answer arrived completely, even if the client had left. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  completeAnswer(): void {
    this.#isComplete = true
    this.finishMetering()
  }

  /** The outcome is final; only the last bytes may still be sent. */
  get isSettled(): boolean {
    return this.#outcome !== undefined
  }

  get outcome(): Outcome | undefined {
    return this.#outcome
  }

  get failure(): AiProxyError | undefined {
    return this.#failure
  }

  /** Decides how the exchange ends; the first call decides. @returns whether this call did */
  settle(outcome: Outcome, failure?: AiProxyError): boolean {
    // A stream that is drained after its client left may still fail, which changes no outcome but belongs in the record.
    this.#failure ??= failure
    if (this.#outcome !== undefined) return false
    this.#outcome = outcome
    // Closing stops any code that still reads the body. The bytes count until their holder releases them.
    this.held?.close()
    this.#ending.settle(outcome, failure)
    return true
  }

  get isReplaced(): boolean {
    return this.#isReplaced
  }

  /** Notes that the app answers in the place of a provider that has answered. */
  replaceAnswer(): void {
    this.#isReplaced = true
  }

  /** Settles an exchange whose answer was sent completely. */
  settleComplete(): void {
    this.settle(this.hasErrorStatus ? 'provider_error' : 'completed')
  }

  /** Whether the provider answered with a status from 400 on, and the app with nothing in its place. */
  get hasErrorStatus(): boolean {
    return !this.#isReplaced && (this.providerStatus ?? 0) >= 400
  }

  /** Sets the meter that reads the answer as it passes. */
  attachMetering(metering: Metering | undefined): void {
    this.#metering = metering
  }

  /** Reads the rest of the answer: nothing more will pass. */
  finishMetering(): void {
    const metering = this.#metering
    this.#metering = undefined
    metering?.finish(performance.now())
  }

  /** Reads the last frames now; more may pass. */
  readLastFrames(): void {
    this.#metering?.finish(performance.now())
  }

  /** Reads an answer that has arrived completely. */
  readCompleteAnswer(body: Buffer): void {
    this.#metering?.pass(body, [], performance.now())
    this.finishMetering()
  }

  /** Returns the state of its stream, for an error event. */
  streamState(): StreamState {
    // The last frames have the latest state.
    this.finishMetering()
    const { model, responseId = `resp_${this.id}`, sequenceNumber = -1 } = this.answer
    return { responseId, model: this.answerAlias ?? model ?? this.#model, nextSequenceNumber: sequenceNumber + 1 }
  }

  /** Aborts once the exchange has ended before its answer went out whole. */
  get signal(): AbortSignal {
    return this.#ending.signal
  }

  /** While the app prepares its answer to a failure: see {@link EndingSignal.untilAnswered}. */
  signalsClientUntilAnswered(onGone: (callback: () => void) => () => void): () => void {
    return this.#ending.untilAnswered(onGone)
  }

  /** As hooks see it: the same object for all of them. */
  hookView(): HookedExchange {
    this.#view ??= new ExchangeView(this)
    return this.#view
  }

  snapshot(): ExchangeSnapshot {
    const { id, phase, model, asksForStream: stream, age } = this
    const { turns, maxTurnMs, downstream } = this.traffic
    const { id: subject, tenant } = this.#subject ?? {}
    const { outputTokens } = this.answer
    const { bytes } = downstream
    return { id, phase, model, stream, subject, tenant, bytes, outputTokens, turns, maxTurnMs, age }
  }
}
