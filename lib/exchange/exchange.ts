import { randomUUID } from 'node:crypto'
import type { NextFunction, Request, Response } from 'express'
import { type AiProxyError, inOneLine, type Outcome, shortened } from '../api/errors.js'
import type { HookedExchange } from '../api/hooks.js'
import type { ResolvedLimits } from '../api/limits.js'
import type { ExchangeRecord, ExchangeSnapshot, Phase, RecordedUsage } from '../api/record.js'
import { type CompleteFormat, detectFormat, generatesAt, type StreamState, tokensOf } from '../formats/index.js'
import { defaultLimits } from '../options/limits.js'
import { memoize } from '../util/memoize.js'
import { NO_SECRETS } from '../util/secrets.js'
import { Deadlines } from './deadlines.js'
import type { HeldShare } from './held-bytes.js'
import type { Indexed } from './indexed-set.js'
import type { Metering } from './metering.js'
import { UsageAccumulator } from './usage-accumulator.js'

/** What can be done to an exchange from outside: end it with a failure, cut its connection, end it for the app. */
export interface Endable {
  fail(failure: AiProxyError): void
  cut(failure: AiProxyError): void
  abort(): void
}

/** The format that a path tells. */
export const formatOf = memoize(detectFormat)

const NOTHING_TOLD: RecordedUsage = { estimated: true }
const NO_TOKENS = tokensOf({}, { cache: 'inside', reasoning: 'inside' })
const noneFramed = { events: 0 }
const noneSent = { bytes: 0 }

/** One request and its response: where it is, what has passed, and, once, how it ended and why. */
export class Exchange implements Indexed {
  readonly id = randomUUID()
  readonly deadlines = new Deadlines()
  readonly req: Request
  readonly res: Response
  readonly next: NextFunction
  readonly startedAt = Date.now()
  phase: Phase = 'receiving'
  /** The middleware's; and once it has been admitted, the request's own if the app gives it others. */
  limits: ResolvedLimits
  path: string
  format: CompleteFormat
  model: string | undefined
  asksForStream = false
  /** The usage event is one that we asked for, and the client did not. */
  hidesUsage = false
  /** What the provider's answer told. */
  readonly findings = new UsageAccumulator()
  /** The provider's answer came to its end, whoever was there to get it. */
  isComplete = false
  /** What reads the answer as it passes. */
  metering: Metering | undefined
  /** It is one of those that `maxConcurrentExchanges` bounds. */
  isAdmitted = false
  /** What it holds of the request's body in memory. */
  held: HeldShare | undefined
  /** It is one of the streams that `maxConcurrentStreams` bounds. */
  countsAsStream = false
  /** What of the request to the provider must not come back. */
  secrets = NO_SECRETS
  firstByteMs: number | undefined
  providerStatus: number | undefined
  requestBytes = 0
  upstreamBytes = 0
  turns = 0
  busyMs = 0
  maxTurnMs = 0
  /** Who counts the events that pass: the stream's framer. */
  framed: { readonly events: number } = noneFramed
  /** Who counts the bytes for the client. */
  sent: { readonly bytes: number } = noneSent
  /** What can end it, while it is under way. */
  delivery: Endable | undefined
  /** Where it stands among those under way. */
  place = -1

  /** When it began, in monotonic milliseconds. */
  readonly began = performance.now()
  #outcome: Outcome | undefined
  #failure: AiProxyError | undefined

  /**
   * @param next takes the failures that the app wants to answer itself
   * @param limits of the middleware
   */
  constructor(req: Request, res: Response, next: NextFunction = () => {}, limits: ResolvedLimits = defaultLimits) {
    this.limits = limits
    this.req = req
    this.res = res
    this.next = next
    this.path = req.url.split('?', 1)[0] ?? '/'
    this.format = formatOf(this.path)
  }

  /** Milliseconds since the start. */
  get age(): number {
    return performance.now() - this.began
  }

  /** It is decided how the exchange ends; what may still follow is its last bytes. */
  get isSettled(): boolean {
    return this.#outcome !== undefined
  }

  get failure(): AiProxyError | undefined {
    return this.#failure
  }

  /** Decides how the exchange ends. Who comes first decides. @returns whether this call did */
  settle(outcome: Outcome, failure?: AiProxyError): boolean {
    // A stream that is drained after its client left may still fail, which changes no outcome but belongs in the record.
    this.#failure ??= failure
    if (this.#outcome !== undefined) return false
    this.#outcome = outcome
    // Whatever still reads the body stops. What is held of it counts until whoever holds it lets go.
    this.held?.close()
    return true
  }

  /** Settles an exchange whose answer has gone out whole. */
  settleWhole(): void {
    this.settle((this.providerStatus ?? 0) >= 400 ? 'provider_error' : 'completed')
  }

  /** What is left to read of the answer is read: nothing more passes. */
  finishMetering(): void {
    const { metering } = this
    this.metering = undefined
    metering?.finish(performance.now())
  }

  /** What its stream has told so far. */
  streamState(): StreamState {
    // The last frames tell how far it came.
    this.finishMetering()
    const { model, responseId = `resp_${this.id}`, sequenceNumber = -1 } = this.findings
    return { responseId, model: model ?? this.model, nextSequenceNumber: sequenceNumber + 1 }
  }

  /** As hooks see it. */
  hookView(): HookedExchange {
    const { id, req, path, model, asksForStream: stream, format } = this
    return { id, req, path, model, stream, format: format.name }
  }

  /** The provider generated something, it seems, and did not say how much. */
  get #toldNothing(): boolean {
    const { req, res, path, format } = this
    return this.upstreamBytes > 0 && res.statusCode < 400 && generatesAt(req.method, path, format)
  }

  tookTurn(ms: number): void {
    this.turns++
    this.busyMs += ms
    if (ms > this.maxTurnMs) this.maxTurnMs = ms
  }

  snapshot(): ExchangeSnapshot {
    const { id, phase, model, asksForStream: stream, turns, maxTurnMs, age } = this
    const { outputTokens } = this.findings
    return { id, phase, model, stream, bytes: this.sent.bytes, outputTokens, turns, maxTurnMs, age }
  }

  record(): ExchangeRecord {
    this.finishMetering()
    const { findings } = this
    const { firstTokenAt } = findings
    const outcome = this.#outcome ?? 'completed'
    const isComplete = this.isComplete || outcome === 'completed' || outcome === 'provider_error'
    const usage = findings.usageAt(isComplete) ?? (isComplete && this.#toldNothing ? NOTHING_TOLD : undefined)
    const generatingMs = firstTokenAt === undefined ? 0 : (findings.endedAt ?? performance.now()) - firstTokenAt
    const failure = this.#failure
    const cause =
      failure?.outcome === 'upstream_error' && failure.cause instanceof Error
        ? ` (${inOneLine(failure.cause.message)})`
        : ''
    const record: ExchangeRecord = {
      id: this.id,
      outcome,
      limit: failure?.limit,
      code: failure?.code,
      error: failure && shortened(this.secrets.mask(failure.message + cause)),
      method: this.req.method,
      path: this.path,
      model: this.model,
      stream: this.asksForStream,
      status: this.res.headersSent ? this.res.statusCode : undefined,
      providerStatus: this.providerStatus,
      format: this.format.name,
      responseModel: findings.model,
      responseId: findings.responseId,
      finishReason: findings.finishReason,
      usage,
      tokens: usage && (findings.tokensAt(isComplete, this.format.counting) ?? NO_TOKENS),
      firstTokenMs: firstTokenAt === undefined ? undefined : firstTokenAt - this.began,
      outputTokensPerSecond:
        generatingMs > 0 && usage?.outputTokens ? (usage.outputTokens / generatingMs) * 1000 : undefined,
      startedAt: this.startedAt,
      durationMs: this.age,
      firstByteMs: this.firstByteMs,
      requestBytes: this.requestBytes,
      upstreamBytes: this.upstreamBytes,
      downstreamBytes: this.sent.bytes,
      events: this.framed.events,
      turns: this.turns,
      busyMs: this.busyMs,
      maxTurnMs: this.maxTurnMs,
    }
    if (!failure) return record
    return Object.defineProperty(record, 'cause', { value: failure.cause ?? failure.revealCause(), enumerable: false })
  }
}
