import type { Framing } from '../framing/framing.js'
import type { Counting, ParsedMessage, Progress } from './message.js'
import type { FieldPath } from './output-limits.js'

/** The built-in formats, for the option `format`. */
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

/** The name of a format of the app's own: it begins with `x-`, which no built-in format ever will. */
export type CustomFormatName = `x-${string}`

/** The name of any format. */
export type AnyFormatName = FormatName | CustomFormatName

/** What a format needs to know of a failure to say it. */
export interface FailureNotice {
  /** Machine-readable name, stable: `idle_timeout`, `upstream_reset`, … */
  readonly code: string
  /** HTTP status that stands for the failure, also if the response has begun with another one. */
  readonly status: number
  /** One sentence for people. */
  readonly message: string
}

/** What a stream has told so far, for an error event that has to fit in. */
export interface StreamState {
  /** The provider's id of the answer, or one of ours if it has told none. */
  readonly responseId: string
  /** The model that answers; `undefined` if neither the provider nor the request has named one. */
  readonly model?: string | undefined
  /** The number that the next message has. */
  readonly nextSequenceNumber: number
}

/** A JSON object, parsed. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Headers of a response, by lower-case names. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/** A piece of text that the model wrote, in a message. */
export interface TextPlace {
  /** The keys and indexes that lead to the string. */
  readonly path: readonly (string | number)[]
  /**
   * `text`: the answer itself, new with this message. `reasoning`: what the model thought. `repeated`: text or reasoning
   * that earlier messages of the stream have brought already.
   */
  readonly kind: 'text' | 'reasoning' | 'repeated'
}

/**
 * What the messages of a provider's protocol mean, for the option `format`. Every function is pure: objects in, objects
 * out. Only `name` and `readMessage` are required.
 *
 * What a function throws reaches `onError` (as the hook `format`) and never breaks a stream: the bytes pass, and what the
 * function would have said is missing from the record.
 */
export interface Format<Name extends AnyFormatName = CustomFormatName> {
  /** Names the format in records, hooks and metrics. It begins with `x-`. */
  readonly name: Name

  /**
   * Reads a message of a stream. Called for each message that `usageMarker` marks, for the last few of a stream, and for
   * some between, whose text is counted. A stream must end with a message that tells `finishReason` or `isLast`; if it
   * does not, it counts as broken off. (`progressIn` can say that the protocol has no such end.)
   *
   * @param data the message's JSON
   * @param event name of the event, if the framing has one
   */
  readMessage(data: JsonObject, event: string | undefined): ParsedMessage

  /** Reads an answer that is no stream. Default: `readMessage`. */
  readAnswer?(answer: JsonObject): ParsedMessage

  /** Reads from an answer's headers what its body does not say. Called if the status is below 400. Default: nothing. */
  readHeaders?(headers: AnswerHeaders): ParsedMessage

  /**
   * Finds the strings in a message that hold what the model wrote, in their order; called by `textOf` and `withText`.
   * Default: none.
   */
  textsIn?(data: JsonObject, event: string | undefined): readonly TextPlace[]

  /**
   * Says how far a stream has come with a message; `undefined` if the message is none of this protocol. A stream without
   * any message of this protocol ends with its body, however that ends. Default: `{}` for every message.
   */
  progressIn?(data: JsonObject, event: string | undefined): Progress | undefined

  /**
   * Says whether a frame is the last one of its stream. Called with the last frame of each batch, so it should look at the
   * bytes before it decodes them. Default: `[DONE]`, or a message with `isLast`, which takes parsing each of these frames.
   */
  isTerminator?(frame: Buffer): boolean

  /**
   * Bytes that stand in every message with usage, and in hardly any other: only messages with them are parsed. Long ones
   * are found fast. Default: empty, and every message is parsed.
   */
  readonly usageMarker?: string

  /** What its usage figures mean. Default: cached input is part of the input, reasoning part of the output. */
  readonly counting?: Counting

  /**
   * The top-level fields that `readAnswer` needs. Of an answer that is too large to be parsed whole, only these are read.
   * Default: all, as far as they fit.
   */
  readonly answerFields?: readonly string[]

  /**
   * How its streams are framed; the first is the usual one. A response's `content-type` decides among them; if it does
   * not tell, a JSON array and lines of JSON are taken for a stream only if they are named here. Default: `[framings.sse]`.
   */
  readonly framings?: readonly Framing[]

  /**
   * Says whether a client that asks for a stream reads server-sent events: only then may heartbeats, or an error event,
   * go out before the provider answers. Default: whether the first of `framings` is `framings.sse`.
   *
   * @param url of the client's request, with its query
   */
  streamsSse?(url: string): boolean

  /**
   * Makes the JSON body that says a failure if no answer has begun.
   * Default: `{ error: { message, code } }`.
   */
  errorBody?(failure: FailureNotice): unknown

  /** Says whether a JSON body is an error in this protocol. Default: it has an `error`. */
  isErrorBody?(body: unknown): boolean

  /**
   * Writes the server-sent event that says a failure in a running stream, so that SDKs throw. In other framings the error
   * body goes out as a message. Default: an event without a name, with the body as its data.
   *
   * @param body an error body
   * @param stream what the stream has told so far; `undefined` if there is nothing
   */
  errorEvent?(body: unknown, stream?: StreamState): string

  /** Rules as in the option `endpoints`: its paths, which are open by default. Default: none. */
  readonly endpoints?: readonly string[]

  /** Client headers that go on by default, in lower case, beside those of every format. Default: none. */
  readonly requestHeaders?: readonly string[]

  /** Paths at which a POST asks for a stream, whatever its body says. Default: none; a body's `stream` tells. */
  readonly streamPaths?: readonly RegExp[]

  /** Paths at which a POST asks for a stream unless its body's `stream` is `false`. Default: none. */
  readonly streamsByDefault?: readonly RegExp[]

  /** Paths that name the model; the first group is the name. Default: none; the body's `model` tells. */
  readonly modelPaths?: readonly RegExp[]

  /** Paths at which no text is generated (embeddings, counting tokens): no output limit goes there. Default: none. */
  readonly silentPaths?: readonly RegExp[]

  /**
   * Finds the field in which the provider takes a limit of output tokens; empty if there is none. It must follow from the
   * model and the URL, and not from the field that the client has used. Default: `['max_tokens']`.
   *
   * @param request the request's body
   * @param url the provider's, without the query; `''` if it is not known
   */
  maxOutputTokensPath?(request: JsonObject, url?: string): FieldPath

  /** Fields in which the provider looks for such a limit as well: they are removed if a limit is set. Default: none. */
  readonly otherLimitPaths?: readonly FieldPath[]

  /** The provider takes a field's name in camel case and in snake case (protocol buffers do). Default `false`. */
  readonly readsBothCases?: boolean

  /**
   * The top-level field, and the field in it, by which a streaming request asks for usage. Default: none; the provider
   * tells usage unasked.
   */
  readonly usageRequest?: readonly [field: string, flag: string]

  /**
   * Says whether the provider at a URL takes `usageRequest`. Default: it does. (One that refuses it is asked again
   * without, and not again after that.)
   */
  takesUsageRequest?(url: string): boolean

  /**
   * `gen_ai.operation.name` in OpenTelemetry of a POST. Paths that end in `embeddings`, `count_tokens` and the like are told
   * apart before. Default: `chat`.
   */
  operation?(path: string, model: string | undefined): string | undefined

  /** `gen_ai.provider.name` in OpenTelemetry, for hosts that are not known by their name. Default: the format's name. */
  readonly provider?: string
}
