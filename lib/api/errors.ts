import {
  type CompleteFormat,
  detectFormat,
  type FailureNotice,
  sharedNoRetryHeaders,
  unknownModel,
} from '../formats/index.js'
import type { Limits, ResolvedLimits } from './limits.js'

/**
 * How an exchange ended. `completed`: the provider's answer was sent completely, and it is a success; or the app
 * answered itself, with any status. `provider_error`: the provider answered with a status of 400 or above, and that
 * answer was sent completely. `client_disconnect`: the client left first. `limit_exceeded`: it hit one of {@link
 * Limits}. `upstream_error`: the provider could not be reached, broke off, or reported an error in a stream.
 * `rejected`: the proxy refused the request, or the app aborted it. `shutdown`: `close()` ended it.
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
  /** Whether a retry of the same request would only fail and be billed again. */
  readonly isFinal?: true
  /** How a client proves who it is: every 401 says so (RFC 9110, 15.5.2). */
  readonly challenge?: string
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

/** Every way an exchange can fail. The client gets the status if the answer has not begun. */
const kinds = {
  endpoint_not_allowed: { status: 404, outcome: 'rejected' },
  method_not_allowed: { status: 405, outcome: 'rejected' },
  upgrade_required: { status: 426, outcome: 'rejected' },
  model_not_allowed: { status: 403, outcome: 'rejected' },
  model_not_found: { status: 404, outcome: 'rejected' },
  no_target: { status: 503, outcome: 'rejected', retryAfter: 1 },
  invalid_request: { status: 400, outcome: 'rejected' },
  unsupported_media_type: { status: 415, outcome: 'rejected' },
  request_refused: { status: 403, outcome: 'rejected' },
  unauthenticated: { status: 401, outcome: 'rejected', challenge: 'Bearer' },
  policy_refused: { status: 403, outcome: 'rejected' },
  policy_failed: { status: 500, outcome: 'rejected' },
  price_unknown: { status: 403, outcome: 'rejected', isFinal: true },
  quota_exceeded: { status: 429, outcome: 'limit_exceeded' },
  quota_unavailable: { status: 503, outcome: 'rejected', retryAfter: 1 },
  queue_full: { status: 503, outcome: 'limit_exceeded', retryAfter: 1 },
  queue_timeout: { status: 503, outcome: 'limit_exceeded', retryAfter: 1 },
  aborted: { status: 503, outcome: 'rejected', isFinal: true },
  overloaded: { status: 503, outcome: 'rejected', retryAfter: 1 },
  stream_not_found: { status: 404, outcome: 'rejected' },
  journal_unavailable: { status: 503, outcome: 'rejected', retryAfter: 1 },
  resume_gone: { status: 410, outcome: 'rejected', isFinal: true },
  pipeline_too_long: { status: 503, outcome: 'rejected', retryAfter: 1 },
  credentials_unavailable: { status: 500, outcome: 'rejected' },
  internal_error: { status: 500, outcome: 'rejected' },

  ...limitKinds,

  upstream_unreachable: { status: 502, outcome: 'upstream_error' },
  upstream_reset: { status: 502, outcome: 'upstream_error' },
  upstream_truncated: { status: 502, outcome: 'upstream_error' },
  upstream_error: { status: 502, outcome: 'upstream_error' },
  upstream_redirected: { status: 502, outcome: 'upstream_error' },
  stream_lost: { status: 502, outcome: 'upstream_error' },

  shutting_down: { status: 503, outcome: 'shutdown', retryAfter: 1 },
} as const satisfies Record<string, FailureKind>

/**
 * Stable, machine-readable names of failures, used in error bodies, error events and records.
 * `docs/limits-and-errors.md` describes when each occurs.
 *
 * @useDeclaredType
 */
export type FailureCode = keyof typeof kinds

/** A code of the package's own, or one that a policy of the app's own gives: it begins with `x_`. */
export type AnyFailureCode = FailureCode | `x_${string}`

/** Returns whether a word is one of the package's own codes. */
export function isFailureCode(word: string): word is FailureCode {
  return Object.hasOwn(kinds, word)
}

interface FailureDetails {
  /** The cause, if it may contain a secret. */
  readonly privateCause?: unknown
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** Sets the format that `toBody()` writes: the one that the client speaks. */
export let setClientFormat: (failure: AiProxyError, format: CompleteFormat) => void

/**
 * A failure of an exchange. With `errors: 'next'` the app's error handlers get it; Express's default handler
 * understands `status` and `headers`.
 */
export class AiProxyError extends Error implements FailureNotice {
  /** Always `AiProxyError`. */
  override readonly name = 'AiProxyError'
  /** Stable, machine-readable name of the failure; it begins with `x_` if a policy of the app's own gave it. */
  readonly code: AnyFailureCode
  /** HTTP status: the code's own, or the one from an error that a hook threw, or from a policy's refusal. */
  readonly status: number
  /** Same as `status`, for error handlers that read this property. */
  readonly statusCode: number
  /** The message holds no secrets and may be shown to the client. */
  readonly expose = true
  /**
   * Response headers of the failure: `retry-after`, `allow`, `upgrade`, and `x-should-retry: false` if a retry would
   * only repeat the failure and be billed again. OpenAI's and Anthropic's SDKs obey the latter; a format of the app's
   * own may have others (`noRetryHeaders`).
   */
  readonly headers: Readonly<Record<string, string>>
  /** Name of the limit that was hit, if any. */
  readonly limit: keyof Limits | undefined
  /** Outcome in the record of the exchange. */
  readonly outcome: Outcome
  readonly #isFinal: boolean
  /** Those of `headers` that keep the client from another try, if the failure is final. */
  #noRetryHeaders = sharedNoRetryHeaders
  /** The headers without those. */
  readonly #otherHeaders: Readonly<Record<string, string>>
  readonly #privateCause: unknown
  #format: CompleteFormat | undefined

  static {
    setClientFormat = (failure, format) => {
      // An error of another copy of this package has no such field.
      if (!(#format in failure)) return
      failure.#format = format
      failure.#forbidRetryBy(format.noRetryHeaders)
    }
  }

  /**
   * @param code determines status, outcome, limit and headers
   * @param message one sentence, without secrets
   * @param options `cause`, as in any error; `privateCause`, for a cause that may contain a secret; `status`, to
   *   replace the code's own; further `headers`
   */
  constructor(code: AnyFailureCode, message: string, options?: ErrorOptions & FailureDetails) {
    super(message, options)
    const kind: FailureKind = isFailureCode(code) ? kinds[code] : kinds.policy_refused
    this.code = code
    this.status = this.statusCode = options?.status ?? kind.status
    this.#isFinal = kind.isFinal ?? false
    this.#otherHeaders = {
      ...(kind.retryAfter !== undefined && { 'retry-after': String(kind.retryAfter) }),
      ...(kind.challenge && { 'www-authenticate': kind.challenge }),
      ...options?.headers,
    }
    this.headers = this.#isFinal ? { ...this.#noRetryHeaders, ...this.#otherHeaders } : this.#otherHeaders
    this.limit = kind.limit
    this.outcome = kind.outcome
    this.#privateCause = options?.privateCause
  }

  /** Puts a format's headers against another try in place of those before. */
  #forbidRetryBy(noRetryHeaders: Readonly<Record<string, string>>): void {
    if (!this.#isFinal || noRetryHeaders === this.#noRetryHeaders) return
    this.#noRetryHeaders = noRetryHeaders
    // Fails, and does not throw, if the app has frozen its error.
    Reflect.set(this, 'headers', { ...noRetryHeaders, ...this.#otherHeaders })
  }

  /**
   * Returns the error body that the middleware would send, in the protocol that the client speaks, to be sent as JSON.
   * For an error that never belonged to an exchange, it is OpenAI's protocol.
   */
  toBody(): unknown {
    return (this.#format ?? detectFormat('/')).errorBody(this)
  }

  /**
   * Returns what a function in `auth` threw (`credentials_unavailable`); `undefined` for all other failures. It may
   * contain a secret, so it is not a property: loggers and `console.error` print those, above all `cause`.
   */
  revealCause(): unknown {
    return this.#privateCause
  }
}

/** Records are logged, and their messages may quote a provider. */
const MAX_MESSAGE_LENGTH = 1000

/** Truncates a message for a record. */
export function truncateMessage(message: string): string {
  return message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH)}…` : message
}

/**
 * Returns the message of a system or library error on one line. OpenSSL's end with the source file and a line break.
 */
export function toOneLine(message: string): string {
  return message
    .replace(/:[^\s:]+\.c:\d+:?/g, '')
    .replace(/\s+/g, ' ')
    .trim()
}

/** Converts anything thrown to a failure; unknown errors become `internal_error`, whose message reveals nothing. */
export function toFailure(thrown: unknown): AiProxyError {
  if (isA(AiProxyError, thrown)) return thrown
  return new AiProxyError('internal_error', 'The proxy failed to handle this request', { cause: thrown })
}

/** `instanceof` that is safe for values that the app's code threw: a Proxy may throw when it is inspected. */
export function isA<T>(kind: abstract new (...args: never[]) => T, thrown: unknown): thrown is T {
  try {
    return thrown instanceof kind
  } catch {
    return false
  }
}

/**
 * Creates the failure of a request for a model that no target serves.
 *
 * @param model as the client calls it
 * @param names all names that clients can use; `undefined` if they are not all known
 */
export function modelNotFound(model: string, names: readonly string[] | undefined): AiProxyError {
  return new AiProxyError('model_not_found', unknownModel(model, names))
}

const limitMessages: Record<keyof typeof limitKinds, string> = {
  request_too_large: 'The request body is too large',
  too_many_exchanges: 'Too many concurrent requests',
  decoded_request_too_large: 'The decompressed request body is too large',
  held_bytes_exceeded: 'Too many bytes of request bodies are in memory',
  too_many_streams: 'Too many concurrent streams',
  upload_timeout: 'The upload made no progress',
  first_byte_timeout: 'The provider did not begin to answer in time',
  first_token_timeout: 'The model did not begin to write in time',
  idle_timeout: 'The provider fell silent',
  progress_timeout: 'The model stopped writing',
  stream_too_long: 'The answer took too long',
  response_too_large: 'The answer is too large',
  event_too_large: 'An event of the answer is too large',
  output_tokens_exceeded: 'The answer has too many tokens',
  slow_client: 'The client did not read in time',
}

/**
 * Creates the failure of an exchange for which a function of the app did not answer within `firstByteTimeoutMs`. It names the
 * function, because the provider is not to blame.
 *
 * @param asked names of the options whose functions may be the one
 */
export function appTimeout(asked: readonly string[], { firstByteTimeoutMs }: ResolvedLimits): AiProxyError {
  const names = asked.map((name) => `\`${name}\``).join(' or ')
  const message = `The app's ${names} did not answer in time (limits.firstByteTimeoutMs: ${firstByteTimeoutMs})`
  return new AiProxyError('first_byte_timeout', message)
}

/**
 * Creates the failure of an exchange that hit a limit.
 *
 * @param status replaces the code's own
 */
export function limitFailure(code: keyof typeof limitKinds, limits: ResolvedLimits, status?: number): AiProxyError {
  const { limit } = limitKinds[code]
  const message = `${limitMessages[code]} (limits.${limit}: ${limits[limit]})`
  return new AiProxyError(code, message, status === undefined ? undefined : { status })
}
