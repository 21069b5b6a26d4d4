import type { Framing } from '../framing/framing.js'
import type { Counting, ParsedMessage, Progress } from './message.js'
import type { FieldPath } from './output-limits.js'

/** Names of the built-in formats, for the option `format`. */
export type FormatName =
  | 'openai-chat'
  | 'openai-completions'
  | 'openai-responses'
  | 'openai-embeddings'
  | 'openai-media'
  | 'anthropic'
  | 'gemini'
  | 'gemini-interactions'
  | 'bedrock-converse'
  | 'bedrock-invoke'
  | 'ollama-chat'
  | 'ollama-generate'
  | 'cohere'
  | 'tgi'
  | 'llama-cpp'

/** Name of a format that the app defines. It begins with `x-`, which no built-in format ever will. */
export type CustomFormatName = `x-${string}`

/** Name of any format. */
export type AnyFormatName = FormatName | CustomFormatName

/** A failure that a format reports to the client. */
export interface FailureNotice {
  /** Stable machine-readable name: `idle_timeout`, `upstream_reset`, … */
  readonly code: string
  /** HTTP status of the failure, even if the response has begun with another one. */
  readonly status: number
  /** One sentence for humans. */
  readonly message: string
}

/** State of a stream that an error event has to fit into. */
export interface StreamState {
  /** The provider's id of the answer, or a generated one if the provider has not sent any. */
  readonly responseId: string
  /** The model that answers; `undefined` if neither the provider nor the request has named it. */
  readonly model?: string | undefined
  /** Sequence number of the next message. */
  readonly nextSequenceNumber: number
}

/** A parsed JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Headers of a response, by lower-case names. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/** Location of a text that the model wrote, in a message. */
export interface TextPlace {
  /** Keys and indexes that lead to the string. */
  readonly path: readonly (string | number)[]
  /**
   * `text`: the answer itself, new in this message. `reasoning`: the model's reasoning. `repeated`: text or reasoning
   * that earlier messages of the stream, or other places of this message, have delivered, and everything else that the model
   * wrote in addition to its answer: tokens of log probabilities, quotations of the text, rewritten prompts.
   */
  readonly kind: 'text' | 'reasoning' | 'repeated'
}

/**
 * Describes a provider's protocol, for the option `format`. Every function is pure: objects in, objects out. Only
 * `name` and `readMessage` are required.
 *
 * If a function throws, `onError` gets the error (as that of the hook `format`). The stream goes on: its bytes
 * pass, and what the function would have read is missing from the record.
 */
export interface Format<Name extends AnyFormatName = CustomFormatName> {
  /** Names the format in records, hooks and metrics. It begins with `x-`. */
  readonly name: Name

  /**
   * Reads a message of a stream. Called for each message that contains `usageMarker`, for the last few of a stream, and
   * for a sample of the others, to count their text. A stream must end with a message that has `finishReason` or
   * `isLast`; otherwise it counts as broken off. (`progressIn` can say that the protocol has no such end.)
   *
   * @param data the message's JSON
   * @param event name of the event, if the framing has one
   */
  readMessage(data: JsonObject, event: string | undefined): ParsedMessage

  /** Reads an answer that is not a stream. Default: `readMessage`. */
  readAnswer?(answer: JsonObject): ParsedMessage

  /** Reads from an answer's headers what its body lacks. Called if the status is below 400. Default: reads nothing. */
  readHeaders?(headers: AnswerHeaders): ParsedMessage

  /**
   * Finds the strings in a message that hold what the model wrote, in order. `textOf` and `withText` call it. Default:
   * finds none.
   */
  textsIn?(data: JsonObject, event: string | undefined): readonly TextPlace[]

  /**
   * Says whether a message brings content or an end to its stream; `undefined` if the message is not of this protocol. If a stream has no
   * message of this protocol, it ends with its body, however that ends. Default: `{}` for every message.
   */
  progressIn?(data: JsonObject, event: string | undefined): Progress | undefined

  /**
   * Says whether a frame is the last one of its stream. Called with the last frame of each batch, so it should check
   * the bytes before it decodes them. Their memory may be used again later. Default: `[DONE]`, or a message with `isLast`;
   * the default parses each of these frames.
   */
  isTerminator?(frame: Buffer): boolean

  /**
   * Bytes that every message with usage contains, and hardly any other does: only messages that contain them are
   * parsed. Long markers are found faster. Default: empty, and every message is parsed.
   */
  readonly usageMarker?: string

  /**
   * What the provider's usage figures include. Default: cached input is part of the input, reasoning part of the
   * output.
   */
  readonly counting?: Counting

  /**
   * Top-level fields that `readAnswer` needs. Of an answer too large to be parsed whole, only these are read. Default:
   * all, as far as they fit.
   */
  readonly answerFields?: readonly string[]

  /**
   * Paths of the strings in which an answer, or a message of a stream, names its model. If a target asks for the client's
   * name there (`showAlias`), it takes their place. `[]` in a path stands for each item of a list. Default: none.
   */
  readonly modelFields?: readonly FieldPath[]

  /**
   * Framings of its streams, the usual one first. A response's `content-type` chooses among them. If it matches none, a
   * JSON array or lines of JSON are treated as a stream only if their framing is listed here. Default:
   * `[framings.sse]`.
   */
  readonly framings?: readonly Framing[]

  /**
   * Says whether a client that asks for a stream expects server-sent events: only then may heartbeats, or an error
   * event, be sent before the provider answers. Default: whether the first of `framings` is `framings.sse`.
   *
   * @param url of the client's request, with its query
   */
  streamsSse?(url: string): boolean

  /** Creates the JSON body that reports a failure if no answer has begun. Default: `{ error: { message, code } }`. */
  errorBody?(failure: FailureNotice): unknown

  /**
   * Response headers that keep SDKs from another try. A failure has them if a retry would only repeat it, and be billed
   * again. Default: `{ 'x-should-retry': 'false' }`, which most SDKs obey.
   */
  readonly noRetryHeaders?: Readonly<Record<string, string>>

  /** Says whether a JSON body is an error in this protocol. Default: whether it has an `error`. */
  isErrorBody?(body: unknown): boolean

  /**
   * Writes the server-sent event that reports a failure in a running stream, so that SDKs throw. In other framings the
   * error body is sent as a message. Default: an event without a name, with the body as its data.
   *
   * @param body an error body
   * @param stream the state of the stream; `undefined` if nothing has arrived
   */
  errorEvent?(body: unknown, stream?: StreamState): string

  /** Its paths, open by default, as rules of the option `endpoints`. Default: none. */
  readonly endpoints?: readonly string[]

  /**
   * Client headers that are forwarded by default, in lower case, in addition to those of every format. Default: none.
   */
  readonly requestHeaders?: readonly string[]

  /**
   * Response headers, in lower case, in which the provider gives its id of a request. The first that a response has is
   * `providerRequestId` in the record, and goes to the client as `x-upstream-request-id`; `x-request-id` comes before
   * them all. Default: none.
   */
  readonly requestIdHeaders?: readonly string[]

  /**
   * Patterns for names of response headers, in any case, in which the provider describes a request: rate limits, costs,
   * times. They go to the client, in addition to those that do so in every format. A pattern should begin with a name
   * that is the provider's own (`/^acme-/`): it also lets headers pass that control browsers and servers in front of the
   * app. Default: none.
   */
  readonly responseHeaders?: readonly RegExp[]

  /** Paths at which a POST asks for a stream, whatever its body says. Default: none; the body's `stream` decides. */
  readonly streamPaths?: readonly RegExp[]

  /** Paths at which a POST asks for a stream unless its body's `stream` is `false`. Default: none. */
  readonly streamsByDefault?: readonly RegExp[]

  /** Paths that name the model; the first group is the name. Default: none; the body's `model` names it. */
  readonly modelPaths?: readonly RegExp[]

  /**
   * Top-level field in which a request names the answer that it continues, if the provider keeps answers: of several
   * targets, the one that has the answer is asked. Default: none.
   */
  readonly continuationField?: string

  /**
   * Paths about one answer that the provider keeps (to read, cancel or delete it); the first group is its id. Such a
   * request goes to the target that has the answer. With `resume`, it must come from the client that requested the answer.
   * Default: none.
   */
  readonly answerPaths?: readonly RegExp[]

  /** Paths that generate no text (embeddings, counting tokens): no output limit is set there. Default: none. */
  readonly silentPaths?: readonly RegExp[]

  /**
   * Returns the path of the field in which the provider takes a limit of output tokens; empty if there is none. It must
   * depend on the model and the URL, not on the field that the client used. Default: `['max_tokens']`.
   *
   * @param request the request's body
   * @param url the provider's, without the query; `''` if it is not known
   */
  maxOutputTokensPath?(request: JsonObject, url?: string): FieldPath

  /** Further fields in which the provider accepts such a limit: they are removed if a limit is set. Default: none. */
  readonly otherLimitPaths?: readonly FieldPath[]

  /** The provider accepts field names in camel case and in snake case, as protocol buffers do. Default `false`. */
  readonly readsBothCases?: boolean

  /**
   * Top-level field, and the field in it, by which a streaming request asks for usage. Default: none; the provider
   * reports usage unasked.
   */
  readonly usageRequest?: readonly [field: string, flag: string]

  /**
   * Top-level fields of a request that say who asks, or how the answer is to be reported, and do not change what the model
   * writes, and that the answer does not repeat: requests that differ only in these get the same answer of the option
   * `cache`. Default: the field of `usageRequest`.
   */
  readonly fieldsWithoutEffect?: readonly string[]

  /**
   * Request headers that say who asks, or with which SDK, and do not change what the model writes; `*` at the end of a
   * name matches any rest. Requests that differ only in these, or in headers that say so in every format, get the same
   * answer of the option `cache`. Default: none.
   */
  readonly headersWithoutEffect?: readonly string[]

  /**
   * Says whether the provider at a URL accepts `usageRequest`. Default: it does. (If a provider rejects it, the request
   * is repeated without it, and it is not sent to that provider again.)
   */
  takesUsageRequest?(url: string): boolean

  /**
   * `gen_ai.operation.name` of a POST in OpenTelemetry. Paths that end in `embeddings`, `count_tokens` and the like are
   * recognised before this is called. Default: `chat`.
   */
  operation?(path: string, model: string | undefined): string | undefined

  /**
   * `gen_ai.provider.name` in OpenTelemetry, for hosts that do not identify their provider. Default: the format's name.
   */
  readonly provider?: string
}
