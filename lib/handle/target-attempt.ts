import type { IncomingMessage } from 'node:http'
import type { AttemptCode } from '../api/attempt-record.js'
import { AiProxyError, appTimeout, type FailureCode, limitFailure, toFailure } from '../api/errors.js'
import type { AttemptEntry } from '../exchange/attempts.js'
import type { Exchange } from '../exchange/exchange.js'
import type { CredentialsOwner } from '../request/credentials-owner.js'
import { PreambleReader } from '../response/preamble.js'
import type { PreambleBounds, PreambleFailure } from '../response/preamble-callbacks.js'
import { readWhole } from '../response/stored-response.js'
import type { AttemptFailure } from '../routing/failure.js'
import { retryAfterMs, shouldRetry } from '../routing/retry-after.js'
import type { TurnScheduler } from '../scheduling/turns.js'
import { memoize } from '../util/memoize.js'
import type { PreparedAttempt } from './prepare-attempt.js'
import { type DispatchEvents, RequestDispatch } from './request-dispatch.js'
import type { PooledTarget } from './target-pool.js'

/** Callbacks of an attempt: after the first of them but `onSilence`, no other is called. */
export interface AttemptCallbacks {
  /** The answer may go to the client. Nothing of it has been read. */
  onReady(attempt: TargetAttempt, response: IncomingMessage): void
  /** The head of the answer is good, and nothing of the body has come for a while. */
  onSilence(): void
  /**
   * @param failure `undefined` if it is not the target's: another would fail as well
   * @param response the provider's error, of which nothing has been read
   */
  onFailure(
    attempt: TargetAttempt,
    failure: AttemptFailure | undefined,
    error: AiProxyError,
    response?: IncomingMessage,
  ): void
}

/** The most of an error that is kept, and how long it may take to arrive. */
const MAX_ERROR_BYTES = 256 * 1024
const MAX_ERROR_MS = 2000

/** One try at one target, until it is known whether its answer can go to the client. */
export class TargetAttempt implements DispatchEvents {
  readonly pooled: PooledTarget
  readonly entry: AttemptEntry
  /** When the head of its answer arrived, in monotonic milliseconds. */
  headAt: number | undefined
  /** The model's first content has arrived, and waits to be read again. */
  hasContent = false
  /** More of its answer has come without content than may be held. */
  isPastBounds = false
  /** How much of its answer is held until the model has written something; `undefined` for nothing. */
  preambleBounds: PreambleBounds | undefined
  /** It has failed, and that counts against its target; its answer may go to the client all the same. */
  hasFailed = false
  /** What the provider said itself when the attempt failed, as a response that can be sent later. */
  said: Promise<IncomingMessage | undefined> | undefined
  /** Whose credentials its request has; `undefined` before it is ready. */
  credentialsOf: CredentialsOwner | undefined
  readonly #timers: TimerNames
  readonly #exchange: Exchange
  readonly #turns: TurnScheduler
  readonly #callbacks: AttemptCallbacks
  #dispatch: RequestDispatch | undefined
  #preamble: PreambleReader | undefined
  /** Its request has gone out, as far as we can know. */
  #hasStarted = false
  #isDecided = false
  #isReleased = false

  constructor(
    pooled: PooledTarget,
    entry: AttemptEntry,
    number: number,
    exchange: Exchange,
    turns: TurnScheduler,
    callbacks: AttemptCallbacks,
  ) {
    this.pooled = pooled
    this.entry = entry
    this.#timers = timersOf(String(number))
    this.#exchange = exchange
    this.#turns = turns
    this.#callbacks = callbacks
    pooled.state.begin()
  }

  /** @param prepare builds the target's request */
  async start(prepare: () => Promise<PreparedAttempt>): Promise<void> {
    const { limits, deadlines, asksForStream } = this.#exchange
    deadlines.start(this.#timers.firstByte, limits.firstByteTimeoutMs, () => this.#expire('first_byte_timeout'))
    if (asksForStream) {
      deadlines.start(this.#timers.firstToken, limits.firstTokenTimeoutMs, () => this.#expire('first_token_timeout'))
    }
    try {
      const prepared = await prepare()
      if (this.#isDecided) return
      this.credentialsOf = prepared.credentialsOf
      this.#dispatch = new RequestDispatch(prepared, this.#exchange, this.pooled, this)
      // Requests of a burst are sent in turns, like everything else that takes time.
      this.#turns.runOrEnqueue(this.#dispatch)
    } catch (error) {
      this.onFailure(toFailure(error))
    }
  }

  onStart(): AttemptEntry {
    this.#hasStarted = true
    return this.entry
  }

  onAnswer(response: IncomingMessage): void {
    const { statusCode: status = 502, headers } = response
    this.headAt = performance.now()
    this.entry.answer(response.statusCode)
    this.#exchange.deadlines.stop(this.#timers.firstByte)
    if (status >= 400 && !(status === 408 && this.#isUploading)) {
      const says = { retryAfterMs: retryAfterMs(headers, Date.now()), shouldRetry: shouldRetry(headers) }
      const failure: AttemptFailure = { kind: 'status', status, ...says }
      const error = new AiProxyError('upstream_error', `The provider answered with status ${status}`)
      return this.#fail(failure, error, response)
    }
    const bounds = this.preambleBounds
    if (!bounds || status < 200 || status > 299) return this.#ready(response)
    const { req, path, client, format, asksForStream, isAnsweredInJson, limits } = this.#exchange
    const { secrets } = this.entry.request
    const inspected = { req, path, client, format, asksForStream, isAnsweredInJson, limits, secrets }
    this.#preamble = new PreambleReader(response, inspected, bounds, {
      onReady: (ready, because, read) => {
        this.entry.noteReading(read)
        this.hasContent = because === 'content' || because === 'end'
        this.isPastBounds = because === 'bound'
        this.#ready(ready)
      },
      onSilence: () => this.#callbacks.onSilence(),
      onWaiting: () => this.#limitWaiting(),
      onBytes: () => this.#exchange.deadlines.touch(this.#timers.idle),
      onFailure: (failure) => this.#failInPreamble(failure),
    })
  }

  onFailure(error: AiProxyError): void {
    const failure = failureOf(error)
    this.#fail(failure?.kind === 'reset' && this.#isUploading ? undefined : failure, error)
  }

  /**
   * The client is still sending its request. A provider that waits no longer, or does not want the rest, has not failed;
   * otherwise slow uploads of one client could keep all others from a target.
   */
  get #isUploading(): boolean {
    return this.#dispatch?.isUploading === true
  }

  /** An answer that has begun may be silent, or send nothing but pings, only as long as it may later. */
  #limitWaiting(): void {
    const { limits, deadlines } = this.#exchange
    deadlines.start(this.#timers.idle, limits.idleTimeoutMs, () => this.#expire('idle_timeout'))
    deadlines.start(this.#timers.duration, limits.maxStreamDurationMs, () => this.#expire('stream_too_long'))
  }

  /** The body may be needed for another attempt: what routes the exchange releases it. */
  onBodyDone(): void {}

  /** Reads the provider's error, so that it can be sent later, and the connection be used again. */
  keep(response: IncomingMessage): void {
    const mostMs = Math.min(MAX_ERROR_MS, this.#exchange.limits.idleTimeoutMs)
    this.said = new Promise((resolve) => {
      readWhole(response, MAX_ERROR_BYTES, mostMs, (stored) => {
        this.#dispatch?.end()
        resolve(stored)
      })
    })
  }

  get isUnderWay(): boolean {
    return this.#dispatch?.isUnderWay === true
  }

  /** Milliseconds that are left for the first content of its stream. */
  get leftForFirstToken(): number {
    return this.#exchange.limits.firstTokenTimeoutMs - (performance.now() - this.entry.began)
  }

  /** Ends the connection, in any phase. */
  end(): void {
    this.#isDecided = true
    this.#stop()
    this.#dispatch?.end()
    this.release()
  }

  /** Gives the attempt up. Not another byte of it is read. */
  abandon(code: AttemptCode): void {
    // A provider that has heard of nothing is owed nothing.
    this.entry.end(code === 'abandoned' && !this.#hasStarted ? 'unprepared' : code)
    this.end()
  }

  /** Gives the attempt up because another has content. */
  loseTo(winner: TargetAttempt): void {
    const { began } = this.entry
    if (this.#hasStarted && began < winner.entry.began) this.pooled.state.lose(performance.now() - began)
    this.abandon('outrun')
  }

  /** The target is free for another exchange. */
  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.pooled.state.end()
  }

  #ready(response: IncomingMessage): void {
    if (this.#isDecided) return
    this.#isDecided = true
    this.#stop()
    this.#callbacks.onReady(this, response)
  }

  #failInPreamble({ kind, status, message, said }: PreambleFailure): void {
    if (said) this.said = Promise.resolve(said)
    const code = CODES[kind]
    const failure: AttemptFailure = kind === 'error-event' ? { kind, ...(status !== undefined && { status }) } : BROKEN
    this.#fail(failure, new AiProxyError(code, message))
  }

  #expire(code: keyof typeof TIMEOUTS): void {
    // On an event loop that was held up, timers come before what has arrived meanwhile: let that be read first.
    setImmediate(() => {
      const { limits } = this.#exchange
      if (this.#dispatch) {
        const failure = this.#isUploading ? undefined : TIMEOUTS[code]
        return this.#fail(failure, limitFailure(code, limits))
      }
      // Nothing was sent: a function of the app is late, not the target.
      this.entry.end('unprepared')
      this.#fail(UNPREPARED, code === 'first_byte_timeout' ? appTimeout(ASKED, limits) : limitFailure(code, limits))
    })
  }

  #fail(failure: AttemptFailure | undefined, error: AiProxyError, response?: IncomingMessage): void {
    if (this.#isDecided) return
    this.#isDecided = true
    this.#stop()
    this.entry.end(response ? undefined : error.code)
    this.release()
    if (!response) this.#dispatch?.end()
    const { credentialsOf } = this
    this.#callbacks.onFailure(this, failure && { ...failure, credentialsOf }, error, response)
  }

  #stop(): void {
    const { deadlines } = this.#exchange
    const { firstByte, firstToken, idle, duration } = this.#timers
    this.#preamble?.stop()
    deadlines.stop(firstByte)
    deadlines.stop(firstToken)
    deadlines.stop(idle)
    deadlines.stop(duration)
  }
}

const BROKEN: AttemptFailure = { kind: 'broken' }
const UNPREPARED: AttemptFailure = { kind: 'unprepared' }

/** The options whose functions are asked before a request goes out. */
const ASKED = ['auth', 'onAttempt']

/** Several attempts may be under way, each with its own timers. */
interface TimerNames {
  readonly firstByte: string
  readonly firstToken: string
  readonly idle: string
  readonly duration: string
}

/** Memoized: each exchange has a first attempt. */
const timersOf = memoize(
  (number: string): TimerNames => ({
    firstByte: `firstByte ${number}`,
    firstToken: `firstToken ${number}`,
    idle: `idle ${number}`,
    duration: `duration ${number}`,
  }),
)

/** What it means if a limit in time is hit; nothing if there is no time left for another attempt. */
const TIMEOUTS = {
  first_byte_timeout: { kind: 'first-byte-timeout' },
  first_token_timeout: { kind: 'first-token-timeout' },
  idle_timeout: { kind: 'first-token-timeout' },
  stream_too_long: undefined,
} as const

const CODES: Readonly<Record<PreambleFailure['kind'], FailureCode>> = {
  'error-event': 'upstream_error',
  reset: 'upstream_reset',
  truncated: 'upstream_truncated',
  page: 'upstream_error',
}

/**
 * Returns what a failure before the head of an answer is, for the table of failures; `undefined` if another target would
 * fail as well.
 */
function failureOf({ code }: AiProxyError): AttemptFailure | undefined {
  switch (code) {
    case 'upstream_unreachable':
      return { kind: 'unreachable' }
    case 'upstream_reset':
      return { kind: 'reset' }
    case 'credentials_unavailable':
    case 'internal_error':
    // The target's name of the model cannot stand in the client's path; another's may.
    case 'model_not_found':
      return { kind: 'unprepared' }
    default:
      return undefined
  }
}
