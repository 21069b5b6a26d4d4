import type { FieldPath } from './output-limits.js'

/** The formats that are known by name, for the option `format`. */
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

/** What a format needs to know of a failure to say it. */
export interface FailureNotice {
  /** Machine-readable name, stable: `idle_timeout`, `upstream_reset`, … */
  readonly code: string
  /** HTTP status that stands for it, also where the status line is long gone. */
  readonly status: number
  /** One sentence for people. */
  readonly message: string
}

/**
 * Tokens, by the provider's own meaning; a figure that the provider does not tell is not there. What includes what
 * differs: OpenAI's input includes what was read from a cache, Anthropic's and Bedrock's does not; OpenAI's output
 * includes reasoning, Google's and xAI's does not.
 */
export interface Usage {
  /** Tokens of the request. */
  readonly inputTokens?: number
  /** Tokens of the answer. */
  readonly outputTokens?: number
  /** All of them, as the provider adds them up. */
  readonly totalTokens?: number
  /** Input that was read from a cache. */
  readonly cachedInputTokens?: number
  /** Input that was written to a cache. */
  readonly cacheWriteTokens?: number
  /** Output that was reasoning. */
  readonly reasoningTokens?: number
  /**
   * Tokens that another model read and wrote, which the provider called as a tool (OpenAI's image generation, Anthropic's
   * advisor). No other figure has them: they have a price of their own.
   */
  readonly toolInputTokens?: number
  /** What such a model wrote; see `toolInputTokens`. */
  readonly toolOutputTokens?: number
}

/** Where a provider counts a part of its tokens: in the whole, beside it, or as its total tells. */
export type Place = 'inside' | 'beside' | 'by total'

/** What a provider's figures mean: which of them includes which. */
export interface Counting {
  /** Where cached input stands, what was read from a cache and what was written to one: in `inputTokens` or beside them. */
  readonly cache: Place
  /** Where reasoning stands: in `outputTokens` or beside them. */
  readonly reasoning: Place
}

/** What one message of an answer says: an event's data, a line, or a whole JSON answer. */
export interface ParsedMessage {
  /** The model that answers. */
  readonly model?: string
  readonly responseId?: string
  readonly finishReason?: string
  readonly usage?: Usage
  /** Its figures replace those told before, even by 0; otherwise a 0 leaves a known figure as it is. */
  readonly replacesUsage?: boolean
  /** What the provider bills, where that is more than `usage`: calls of the model that `usage` leaves out. */
  readonly billed?: Usage
  /** What the model wrote: answer, reasoning, arguments of tool calls. What only repeats it is left out. */
  readonly text?: string
  /** The whole text of an item, of which pieces may have passed before as `text`. */
  readonly whole?: WholeItem
  /** The model calls a tool, even if no argument has come yet. */
  readonly callsTool?: boolean
  /** The provider says that it failed, in a sentence. */
  readonly error?: string
  /** The stream's last message: nothing follows it. */
  readonly isLast?: boolean
  /** It tells usage and nothing else, and comes only where `usageRequest` asked for it. */
  readonly isUsageOnly?: boolean
}

/** An item of an answer that a message repeats from its beginning to its end. */
export interface WholeItem {
  /** Tells it from other items of the same answer. */
  readonly id: string
  readonly text: string
}

/** How far a stream has come with one of its messages. */
export interface Progress {
  /** It ends the answer, though no finish reason says so, and more may follow. */
  readonly isEnd?: boolean
  /** It is content though it holds no text and calls no tool: a picture, or sound. */
  readonly isContent?: boolean
  /** Of several choices (`n > 1`), those that the message is about. Without it, that is the first. */
  readonly choices?: readonly ChoiceState[] | undefined
  /** The message's number within its stream, where the protocol counts them. */
  readonly sequenceNumber?: number | undefined
}

/** One of several answers to a request. */
export interface ChoiceState {
  readonly index: number
  /** It ends with this message. */
  readonly isEnded: boolean
}

/** What a stream has told so far, which an error event within it goes on from. */
export interface StreamState {
  /** The provider's id of the answer, or ours where it has told none. */
  readonly responseId: string
  readonly model?: string | undefined
  /** The number that the next message has. */
  readonly nextSequenceNumber: number
}

/** A JSON object, parsed. */
export type JsonObject = Readonly<Record<string, unknown>>

/** What the messages of one provider protocol mean. Pure: bytes and objects in, bytes and objects out. */
export interface Format {
  readonly name: FormatName
  /** The JSON body that says a failure where no answer has begun. */
  errorBody(failure: FailureNotice): unknown
  /** Whether a JSON body says an error in this protocol. */
  isErrorBody(body: unknown): boolean
  /**
   * The server-sent event that says a failure within a running stream; SDKs throw on it.
   *
   * @param body an error body
   * @param stream what the stream has told so far; without it, nothing
   */
  errorEvent(body: unknown, stream?: StreamState): string
  /** Whether this frame is the last one that the protocol sends in a stream; it looks at the bytes before it decodes. */
  isTerminator(frame: Buffer): boolean
  /**
   * How far a stream has come with one of its messages; `undefined` where the message is none of this protocol. Of a stream
   * in which there is one that is, it is known how it ends: with a finish reason or with a last message. Of others it is
   * not, and they end with their body.
   */
  progressIn(data: JsonObject, event: string | undefined): Progress | undefined
  /** No path or option told the format: a stream of which nothing has come may be one of any protocol. */
  readonly isGuess?: true
  /**
   * Bytes that every message has which tells usage, and hardly any other: where they are not, none is parsed. Long ones
   * are found fast. Empty where the bytes cannot tell (base64): then every message is looked into.
   */
  readonly usageMarker: string
  /**
   * What a message of a stream says.
   *
   * @param event name of the event (SSE's `event`, AWS's `:event-type`), where it has one
   */
  readMessage(data: JsonObject, event: string | undefined): ParsedMessage
  /** What its usage means. */
  readonly counting: Counting
  /** The top-level fields that `readAnswer` reads: of an answer that is too large to be parsed, they alone are. */
  readonly answerFields: readonly string[]
  /** What an answer says that is no stream. */
  readAnswer(answer: JsonObject): ParsedMessage
  /**
   * The field in which the provider takes a limit of output tokens; empty if nothing is generated. It follows from the
   * model and from where the request goes: which field the client has used must not decide whether a limit holds.
   *
   * @param request its model, and what tells one protocol from another
   * @param url the provider's, without the query
   */
  maxOutputTokensPath(request: JsonObject, url?: string): FieldPath
  /** Where providers look for it as well, beside the usual places: a limit that is to hold must be the only one. */
  readonly otherLimitPaths?: readonly FieldPath[]
  /** A field's name may be spelled in camel case or in snake case: providers read either (protocol buffers). */
  readonly readsBothCases?: true
  /** What the headers of an answer say of it, where its body does not. */
  readHeaders?(headers: Readonly<Record<string, string | readonly string[] | undefined>>): ParsedMessage
  /** The top-level field, and the field in it, by which a streaming request asks for usage, where it must ask. */
  readonly usageRequest?: readonly [field: string, flag: string]
}
