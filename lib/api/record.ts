import type { AnyFormatName, Usage } from '../formats/index.js'
import type { Tokens } from '../formats/tokens.js'
import type { AttemptRecord } from './attempt-record.js'
import type { AnyFailureCode, Outcome } from './errors.js'
import type { Limits } from './limits.js'

/**
 * Phase of an exchange. `receiving`: the client's request arrives, or waits in its connection's pipeline or the queue.
 * `connecting`: a connection to the provider is opened. `waiting`: the provider has not answered yet, or the answer to
 * the same request of another client has not begun. `streaming`: the answer passes. `stalled`: the client has to read
 * first. `draining`: the client has left, and the provider is read to its end. `ending`: the last bytes are being sent.
 */
export type Phase = 'receiving' | 'connecting' | 'waiting' | 'streaming' | 'stalled' | 'draining' | 'ending'

/** Snapshot of an exchange under way. */
export interface ExchangeSnapshot {
  /** A UUID for `abort(id)`; the record has it, too. */
  readonly id: string
  /** Its phase. */
  readonly phase: Phase
  /** The model that the request names. */
  readonly model: string | undefined
  /** Whether the request asks for a stream. */
  readonly stream: boolean
  /** Whose request it is, by the option `identify`; `undefined` without it. */
  readonly subject: string | undefined
  /** The subject's tenant; `undefined` if it has none. */
  readonly tenant: string | undefined
  /** Body bytes sent to the client so far. */
  readonly bytes: number
  /** Output tokens so far: as reported, plus the estimate since then. */
  readonly outputTokens: number
  /** Number of turns that its stream has taken. */
  readonly turns: number
  /** The longest of them, in milliseconds. */
  readonly maxTurnMs: number
  /** Milliseconds since it started. */
  readonly age: number
}

/** Token usage of an exchange. */
export interface RecordedUsage extends Usage {
  /**
   * Whether some of it is estimated, because the stream ended early or the provider does not report it. Missing figures
   * are estimated from the text that passed. If nothing in the answer to a generating request can be read, this is the
   * only field.
   */
  readonly estimated: boolean
}

/** Record of an exchange that has ended. */
export interface ExchangeRecord {
  /** A UUID, the same as in `exchanges()`, in hooks, in the debug log, and in the response's `x-request-id`. */
  readonly id: string
  /**
   * `completed`: the provider's answer was sent completely, and it is a success; or the app answered itself, with any
   * status (`providerStatus` is then `undefined`). `provider_error`: the provider answered with a status of 400 or
   * above (`providerStatus`), and that answer was sent completely. `client_disconnect`: the client left first.
   * `limit_exceeded`, `upstream_error`, `rejected`, `shutdown`: see `code`.
   */
  readonly outcome: Outcome
  /** The limit that was hit, if any. */
  readonly limit: keyof Limits | undefined
  /** Code of the failure, as in error bodies and events. */
  readonly code: AnyFailureCode | undefined
  /** Description of the failure in one sentence, with the system's message. */
  readonly error: string | undefined
  /**
   * The original error, thrown by a hook of the app or by the system. It is not enumerable, so that logs and JSON omit
   * what may hold a secret; read it when you debug.
   */
  readonly cause?: unknown
  /** The request's HTTP method. */
  readonly method: string
  /** The path below the target, without the query, which may hold keys. */
  readonly path: string
  /** The model that the request names. */
  readonly model: string | undefined
  /** Whether the request asked for a stream. */
  readonly stream: boolean
  /** Status that the client got; `undefined` if it left before. */
  readonly status: number | undefined
  /**
   * Status of the provider's answer; `undefined` if it did not answer. It differs from `status` if the response had
   * already been opened, or if a hook answered instead of the provider.
   */
  readonly providerStatus: number | undefined
  /**
   * The provider's id of the request, to ask its support about: the value of `x-request-id` in its response, or of the
   * header in which its format has the id (`request-id`, `x-amzn-requestid`, …); 200 characters at most. `undefined` if
   * it sent none.
   */
  readonly providerRequestId: string | undefined
  /** The provider protocol that the client uses. */
  readonly format: AnyFormatName
  /** The model that answered, as the provider names it. */
  readonly responseModel: string | undefined
  /** The provider's id of the answer. */
  readonly responseId: string | undefined
  /** Why the model stopped, as the provider calls it. */
  readonly finishReason: string | undefined
  /** Tokens; `undefined` if nothing was generated or the body was not understood. */
  readonly usage: RecordedUsage | undefined
  /**
   * The same tokens with one meaning for all providers, to add up and to price: parts that do not overlap, and their
   * sum. They include everything billed at the model's price, such as Anthropic's compaction; tokens of other models
   * that were used as tools are in `usage` alone. `undefined` if `usage` is.
   */
  readonly tokens: Tokens | undefined
  /**
   * Milliseconds from the start to the model's first output in a stream: text, reasoning, or a tool call. `undefined`
   * if there was none, and for answers that are not streams, which arrive all at once.
   */
  readonly firstTokenMs: number | undefined
  /** Output tokens per second, from the first token of a stream to its end; `undefined` if unknown. */
  readonly outputTokensPerSecond: number | undefined
  /** Whose request it was, by the option `identify`; `undefined` without it, and if the request was refused before. */
  readonly subject: string | undefined
  /** The subject's tenant; `undefined` if it has none. */
  readonly tenant: string | undefined
  /** What the exchange cost, by the option `prices`; `undefined` without it, and if the model has no price. */
  readonly cost: number | undefined
  /** Whether `cost` is based on estimated tokens, or on a substitute for an unknown price. */
  readonly costEstimated: boolean
  /**
   * With the option `cache`: `hit` if a kept answer went out, `join` if it was that of another exchange, which was still under
   * way, and `miss` if the provider was asked. `undefined` if the answer cannot be shared. With `hit` and `join`, `usage` is
   * that of the exchange whose answer it was, `cost` is 0, and quotas are not charged.
   */
  readonly cache: 'hit' | 'join' | 'miss' | undefined
  /** Labels of the app's own, from the option `labels`; `{}` if there are none. */
  readonly labels: Readonly<Record<string, string>>
  /**
   * Name of the target whose answer the client got, or of the last target that was asked; with the option `target`, its
   * host. `undefined` if none was asked.
   */
  readonly target: string | undefined
  /** Every attempt at a target, in the order of their starts; empty if none was asked. */
  readonly attempts: readonly AttemptRecord[]
  /** The start, in milliseconds since the epoch. */
  readonly startedAt: number
  /** Milliseconds from the start to the end. */
  readonly durationMs: number
  /** Milliseconds from the start to the head of the provider's response; `undefined` if there was none. */
  readonly firstByteMs: number | undefined
  /** Bytes of the request's body. */
  readonly requestBytes: number
  /** Body bytes from the provider, decoded. */
  readonly upstreamBytes: number
  /** Body bytes to the client, including heartbeats and error events, but not HTTP's framing. */
  readonly downstreamBytes: number
  /** Number of events that passed. */
  readonly events: number
  /** Number of turns that its stream took. */
  readonly turns: number
  /** Their total duration, in milliseconds. */
  readonly busyMs: number
  /** The longest of them, in milliseconds. */
  readonly maxTurnMs: number
}
