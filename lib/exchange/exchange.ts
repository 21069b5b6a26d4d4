import { randomUUID } from 'node:crypto'
import type { NextFunction, Request, Response } from 'express'
import { type AiProxyError, type FailureCode, inOneLine, type Outcome, shortened } from '../api/errors.js'
import type { HookedExchange } from '../api/hooks.js'
import type { Limits } from '../api/limits.js'
import {
  type Format,
  type FormatName,
  formatFor,
  generatesAt,
  type StreamState,
  type Tokens,
  tokensOf,
  type Usage,
} from '../formats/index.js'
import type { Metering } from '../metering/passage.js'
import { remembering } from '../util/memoize.js'
import { NO_SECRETS } from '../util/secrets.js'
import { Deadlines } from './deadlines.js'
import { Findings } from './findings.js'

import type { HeldShare } from './held-bytes.js'
import type { Placed } from './indexed-set.js'

/**
 * Where an exchange is: the client's request comes in, or waits in its connection's pipeline (`receiving`), the provider is connected to (`connecting`) and has
 * not answered yet (`waiting`); its answer passes (`streaming`), the client has to read first (`stalled`), the provider is
 * read to its end without a client (`draining`); the last bytes are on their way (`ending`).
 */
export type Phase = 'receiving' | 'connecting' | 'waiting' | 'streaming' | 'stalled' | 'draining' | 'ending'

/** An exchange under way. */
export interface ExchangeSnapshot {
  /** A UUID, for `abort(id)`; the record has it, too. */
  readonly id: string
  /** Where it is. */
  readonly phase: Phase
  /** The model that the request names. */
  readonly model: string | undefined
  /** The request asks for a stream. */
  readonly stream: boolean
  /** Body bytes that the client was sent so far. */
  readonly bytes: number
  /** Output tokens so far: as told, and what was estimated since. */
  readonly outputTokens: number
  /** Turns that its stream has taken. */
  readonly turns: number
  /** The longest of them, in milliseconds. */
  readonly maxTurnMs: number
  /** Milliseconds since its start. */
  readonly age: number
}

/** Tokens that an exchange used. */
export interface RecordedUsage extends Usage {
  /**
   * The provider did not tell all of it, because the stream ended early, or because it tells none: what is missing was
   * estimated from the text that passed. A generating request whose answer says nothing that we can read has this alone.
   */
  readonly estimated: boolean
}

/** What is known of an exchange at its end. */
export interface ExchangeRecord {
  /** A UUID: the one in `exchanges`, in hooks and in the debug log. */
  readonly id: string
  /**
   * `completed`: the provider's answer went out whole, and it is a success; or the app answered itself, whatever the
   * status of that (`providerStatus` is `undefined`). `provider_error`: the provider answered with
   * a status from 400 on (`providerStatus`), and that went out whole. `client_disconnect`: the client left first.
   * `limit_exceeded`, `upstream_error`, `rejected`, `shutdown`: see `code`.
   */
  readonly outcome: Outcome
  /** The limit that was hit, where one was. */
  readonly limit: keyof Limits | undefined
  /** What went wrong, as error bodies and events name it. */
  readonly code: FailureCode | undefined
  /** What went wrong, in a sentence; with what the system said of it. */
  readonly error: string | undefined
  /**
   * What was thrown: by a hook of the app, by the system. It is not enumerable, so that no log or JSON shows what may
   * hold a secret; read it to find a fault.
   */
  readonly cause?: unknown
  /** The request's HTTP method. */
  readonly method: string
  /** The path below the target, without the query, which may hold keys. */
  readonly path: string
  /** The model that the request names. */
  readonly model: string | undefined
  /** The request asked for a stream. */
  readonly stream: boolean
  /** Status that the client got; `undefined` where it left before. */
  readonly status: number | undefined
  /**
   * Status that the provider answered with; `undefined` if it did not answer. It differs from `status` if the response
   * had been opened before, or if we answered in the provider's place.
   */
  readonly providerStatus: number | undefined
  /** The provider protocol that the client speaks. */
  readonly format: FormatName
  /** The model that answered, as the provider names it. */
  readonly responseModel: string | undefined
  /** The provider's id of the answer. */
  readonly responseId: string | undefined
  /** Why the model stopped, in the provider's word. */
  readonly finishReason: string | undefined
  /** Tokens; `undefined` where nothing is known, because nothing was generated or the body was not understood. */
  readonly usage: RecordedUsage | undefined
  /**
   * The same tokens with one meaning for all providers, to add up and to price: parts that overlap nowhere, and their
   * sum. With all that is billed at the model's price, such as Anthropic's compaction; what other models used as tools
   * stands in `usage` alone. `undefined` where `usage` is.
   */
  readonly tokens: Tokens | undefined
  /**
   * Milliseconds from the start to the first that the model wrote in a stream: text, reasoning, or the call of a tool.
   * `undefined` where none came, and for answers that are no streams, which come all at once.
   */
  readonly firstTokenMs: number | undefined
  /** Output tokens a second, from the first token of a stream to its end; `undefined` where it is not known. */
  readonly outputTokensPerSecond: number | undefined
  /** The start, in milliseconds since the epoch. */
  readonly startedAt: number
  /** Milliseconds from the start to the end. */
  readonly durationMs: number
  /** Milliseconds from the start to the head of the provider's response; `undefined` where none came. */
  readonly firstByteMs: number | undefined
  /** Bytes of the request's body. */
  readonly requestBytes: number
  /** Body bytes from the provider, decoded. */
  readonly upstreamBytes: number
  /** Body bytes to the client: heartbeats and error events count, HTTP's own framing does not. */
  readonly downstreamBytes: number
  /** Events that passed. */
  readonly events: number
  /** Turns that its stream took. */
  readonly turns: number
  /** What they took together, in milliseconds. */
  readonly busyMs: number
  /** The longest of them, in milliseconds. */
  readonly maxTurnMs: number
}

/** What can be done to an exchange from outside: end it with a failure, cut its connection, end it for the app. */
export interface Endable {
  fail(failure: AiProxyError): void
  cut(failure: AiProxyError): void
  abort(): void
}

/** The format that a path tells. */
export const formatOf = remembering(formatFor)

const NOTHING_TOLD: RecordedUsage = { estimated: true }
const NO_TOKENS = tokensOf({}, { cache: 'inside', reasoning: 'inside' })
const noneFramed = { events: 0 }
const noneSent = { bytes: 0 }

/** One request and its response: where it is, what has passed, and, once, how it ended and why. */
export class Exchange implements Placed {
  readonly id = randomUUID()
  readonly deadlines = new Deadlines()
  readonly req: Request
  readonly res: Response
  readonly next: NextFunction
  readonly startedAt = Date.now()
  phase: Phase = 'receiving'
  path: string
  format: Format
  model: string | undefined
  asksForStream = false
  /** The usage event is one that we asked for, and the client did not. */
  hidesUsage = false
  /** What the provider's answer told. */
  readonly findings = new Findings()
  /** The provider's answer came to its end, whoever was there to get it. */
  answerIsWhole = false
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

  /** @param next takes the failures that the app wants to answer itself */
  constructor(req: Request, res: Response, next: NextFunction = () => {}) {
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
    const { req, res, path } = this
    return this.upstreamBytes > 0 && res.statusCode < 400 && generatesAt(req.method, path)
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
    const isComplete = this.answerIsWhole || outcome === 'completed' || outcome === 'provider_error'
    const usage = findings.usageAt(isComplete) ?? (isComplete && this.#toldNothing ? NOTHING_TOLD : undefined)
    const generatingMs = firstTokenAt === undefined ? 0 : (findings.overAt ?? performance.now()) - firstTokenAt
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
      error: failure && shortened(this.secrets.hide(failure.message + cause)),
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
