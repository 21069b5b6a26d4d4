import type { AnyFormatName, Usage } from '../formats/index.js'
import type { Tokens } from '../formats/tokens.js'
import type { FailureCode, Outcome } from './errors.js'
import type { Limits } from './limits.js'
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
  /** A UUID: the one in `exchanges()`, in hooks and in the debug log. */
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
  readonly format: AnyFormatName
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
