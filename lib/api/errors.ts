import { type CompleteFormat, detectFormat, type FailureNotice } from '../formats/index.js'
import type { Limits, ResolvedLimits } from './limits.js'

/**
 * How an exchange ended. `completed`: the provider's answer went out whole, and it is a success; or the app answered itself,
 * with whatever status. `provider_error`: the provider answered with a status from 400 on, and that answer went out whole.
 * `client_disconnect`: the client left first. `limit_exceeded`: it hit one of {@link Limits}. `upstream_error`: the provider could not be reached,
 * broke off, or said an error in a stream. `rejected`: the request was refused here, or the app aborted it. `shutdown`:
 * `close()` ended it.
 */
export type Outcome =
  | 'completed'
  | 'provider_error'
  | 'client_disconnect'
  | 'limit_exceeded'
  | 'upstream_error'
  | 'rejected'
  | 'shutdown'

interface FailureKind {
  readonly status: number
  readonly outcome: Outcome
  readonly limit?: keyof Limits
  /** Seconds after which the same request may succeed. */
  readonly retryAfter?: number
  /** A retry of the same request would only repeat the failure, and be billed again. */
  readonly isFinal?: true
}

const limitKinds = {
  request_too_large: { status: 413, outcome: 'limit_exceeded', limit: 'maxRequestBytes', isFinal: true },
  too_many_exchanges: { status: 503, outcome: 'limit_exceeded', limit: 'maxConcurrentExchanges', retryAfter: 1 },
  decoded_request_too_large: {
    status: 413,
    outcome: 'limit_exceeded',
    limit: 'maxDecodedRequestBytes',
  },
  held_bytes_exceeded: { status: 503, outcome: 'limit_exceeded', limit: 'maxHeldBytes', retryAfter: 1 },
  too_many_streams: { status: 503, outcome: 'limit_exceeded', limit: 'maxConcurrentStreams', retryAfter: 1 },
  upload_timeout: { status: 504, outcome: 'limit_exceeded', limit: 'uploadIdleTimeoutMs' },
  first_byte_timeout: { status: 504, outcome: 'limit_exceeded', limit: 'firstByteTimeoutMs', isFinal: true },
  first_token_timeout: { status: 504, outcome: 'limit_exceeded', limit: 'firstTokenTimeoutMs', isFinal: true },
  idle_timeout: { status: 504, outcome: 'limit_exceeded', limit: 'idleTimeoutMs' },
  progress_timeout: { status: 504, outcome: 'limit_exceeded', limit: 'progressTimeoutMs' },
  stream_too_long: { status: 504, outcome: 'limit_exceeded', limit: 'maxStreamDurationMs', isFinal: true },
  response_too_large: { status: 502, outcome: 'limit_exceeded', limit: 'maxResponseBytes', isFinal: true },
  event_too_large: { status: 502, outcome: 'limit_exceeded', limit: 'maxEventBytes', isFinal: true },
  output_tokens_exceeded: { status: 502, outcome: 'limit_exceeded', limit: 'maxOutputTokens', isFinal: true },
  slow_client: { status: 503, outcome: 'limit_exceeded', limit: 'drainTimeoutMs' },
} as const satisfies Record<string, FailureKind>

/** Every way an exchange can fail. The status is what the client gets where the answer has not begun. */
const kinds = {
  endpoint_not_allowed: { status: 404, outcome: 'rejected' },
  method_not_allowed: { status: 405, outcome: 'rejected' },
  upgrade_required: { status: 426, outcome: 'rejected' },
  model_not_allowed: { status: 403, outcome: 'rejected' },
  invalid_request: { status: 400, outcome: 'rejected' },
  unsupported_media_type: { status: 415, outcome: 'rejected' },
  request_refused: { status: 403, outcome: 'rejected' },
  aborted: { status: 503, outcome: 'rejected', isFinal: true },
  overloaded: { status: 503, outcome: 'rejected', retryAfter: 1 },
  pipeline_too_long: { status: 503, outcome: 'rejected', retryAfter: 1 },
  credentials_unavailable: { status: 500, outcome: 'rejected' },
  internal_error: { status: 500, outcome: 'rejected' },

  ...limitKinds,

  upstream_unreachable: { status: 502, outcome: 'upstream_error' },
  upstream_reset: { status: 502, outcome: 'upstream_error' },
  upstream_truncated: { status: 502, outcome: 'upstream_error' },
  upstream_error: { status: 502, outcome: 'upstream_error' },
  upstream_redirected: { status: 502, outcome: 'upstream_error' },

  shutting_down: { status: 503, outcome: 'shutdown', retryAfter: 1 },
} as const satisfies Record<string, FailureKind>

/**
 * The stable, machine-readable names of failures: in error bodies, error events and records. The README says when each
 * comes.
 *
 * @useDeclaredType
 */
export type FailureCode = keyof typeof kinds

interface FailureDetails {
  /** What caused it, where that may tell a secret. */
  readonly privateCause?: unknown
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** Sets the format in which a failure is told: the one that the client speaks. */
export let tellIn: (failure: AiProxyError, format: CompleteFormat) => void

/**
 * A failure of an exchange. With `errors: 'next'` the app's error handlers get it; Express's own handler understands
 * `status` and `headers`.
 */
export class AiProxyError extends Error implements FailureNotice {
  /** Always `AiProxyError`. */
  override readonly name = 'AiProxyError'
  readonly code: FailureCode
  /** HTTP status: the code's own, or the one of an error that `onRequest` threw. */
  readonly status: number
  /** The same as `status`, for error handlers that look here. */
  readonly statusCode: number
  /** The message holds no secrets and may be shown to the client. */
  readonly expose = true
  /**
   * Response headers that belong to the failure: `retry-after`, `allow`, `upgrade`, and `x-should-retry: false`, which OpenAI's and
   * Anthropic's SDKs obey, where a retry would only repeat the failure and be billed again.
   */
  readonly headers: Readonly<Record<string, string>>
  /** Name of the limit that was hit, where one was. */
  readonly limit: keyof Limits | undefined
  /** The outcome that the exchange's record has. */
  readonly outcome: Outcome
  readonly #privateCause: unknown
  #format: CompleteFormat | undefined

  static {
    tellIn = (failure, format) => {
      // What only passes for one of these has no such field.
      if (#format in failure) failure.#format = format
    }
  }

  /**
   * @param code what went wrong; it gives status, outcome, limit and headers
   * @param message one sentence, without secrets
   * @param options `cause`, as of any error; `privateCause`, for one that may tell a secret; `status`, which
   *   takes the place of the code's own; further `headers`
   */
  constructor(code: FailureCode, message: string, options?: ErrorOptions & FailureDetails) {
    super(message, options)
    const kind: FailureKind = kinds[code]
    this.code = code
    this.status = this.statusCode = options?.status ?? kind.status
    this.headers = {
      ...(kind.retryAfter !== undefined && { 'retry-after': String(kind.retryAfter) }),
      ...(kind.isFinal && { 'x-should-retry': 'false' }),
      ...options?.headers,
    }
    this.limit = kind.limit
    this.outcome = kind.outcome
    this.#privateCause = options?.privateCause
  }

  /**
   * Returns the error body that the middleware would send, in the protocol that the client speaks, to be sent as JSON.
   * An error that never was an exchange's is told as OpenAI's.
   */
  toBody(): unknown {
    return (this.#format ?? detectFormat('/')).errorBody(this)
  }

  /**
   * Returns what a function of yours in `auth` threw (`credentials_unavailable`); `undefined` for all other failures. It may
   * tell a secret, so it is no property: loggers and `console.error` print those, a `cause` above all.
   */
  revealCause(): unknown {
    return this.#privateCause
  }
}

/** Records go into logs, and what they say may quote a provider. */
const LONGEST_MESSAGE = 1000

/** A message as a record says it: its beginning, if it is long. */
export function shortened(message: string): string {
  return message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE)}…` : message
}

/** What a system's or a library's error says, in one line. OpenSSL's end with the source file, and a line break. */
export function inOneLine(message: string): string {
  return message
    .replace(/:[^\s:]+\.c:\d+:?/g, '')
    .replace(/\s+/g, ' ')
    .trim()
}

/** Whatever was thrown, as a failure; what is not ours becomes `internal_error`, whose message tells nothing. */
export function toFailure(thrown: unknown): AiProxyError {
  if (isA(AiProxyError, thrown)) return thrown
  return new AiProxyError('internal_error', 'The proxy failed to handle this request', { cause: thrown })
}

/** `instanceof`, of what the app's code may have thrown: a proxy may throw when it is asked. */
export function isA<T>(kind: abstract new (...args: never[]) => T, thrown: unknown): thrown is T {
  try {
    return thrown instanceof kind
  } catch {
    return false
  }
}

const limitMessages: Record<keyof typeof limitKinds, string> = {
  request_too_large: 'The request body is too large',
  too_many_exchanges: 'Too many requests are under way',
  decoded_request_too_large: 'The request body is too large when it is decompressed',
  held_bytes_exceeded: 'Too many request bodies are held',
  too_many_streams: 'Too many streams are under way',
  upload_timeout: 'The upload stood still',
  first_byte_timeout: 'The provider did not begin to answer in time',
  first_token_timeout: 'The model did not begin to write in time',
  idle_timeout: 'The provider fell silent',
  progress_timeout: 'The model stopped writing',
  stream_too_long: 'The answer took too long',
  response_too_large: 'The answer is too large',
  event_too_large: 'An event of the answer is too large',
  output_tokens_exceeded: 'The answer has more tokens than it may have',
  slow_client: 'The client did not read what it was sent',
}

/**
 * The failure of an exchange that hit a limit.
 *
 * @param status takes the place of the code's own
 */
export function limitFailure(code: keyof typeof limitKinds, limits: ResolvedLimits, status?: number): AiProxyError {
  const { limit } = limitKinds[code]
  const message = `${limitMessages[code]} (limits.${limit}: ${limits[limit]})`
  return new AiProxyError(code, message, status === undefined ? undefined : { status })
}
