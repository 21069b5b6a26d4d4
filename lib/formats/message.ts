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

/** Where a provider counts a part of its tokens: in the whole, beside it, or one or the other as its total tells. */
export type Place = 'inside' | 'beside' | 'by total'

/** What a provider's figures mean: which of them includes which. */
export interface Counting {
  /** Where cached input stands, what was read from a cache and what was written to one: in `inputTokens` or beside them. */
  readonly cache: Place
  /** Where reasoning stands: in `outputTokens` or beside them. */
  readonly reasoning: Place
}

/**
 * What one message of an answer says: an event's data, a line, or a whole JSON answer. A field that the message says
 * nothing about is left out.
 */
export interface ParsedMessage {
  /** The model that answers. */
  readonly model?: string
  /** The provider's id of the answer. */
  readonly responseId?: string
  /** Why the answer ends. It also says that it does end; `error` and `failed` say that the provider failed. */
  readonly finishReason?: string
  /** Tokens so far: totals, not what was added since the last message. */
  readonly usage?: Usage
  /** Its figures replace those told before, even by 0; otherwise a 0 leaves a known figure as it is. */
  readonly replacesUsage?: boolean
  /** What the provider bills, if that is more than `usage`: it counts calls of the model that `usage` leaves out. */
  readonly billed?: Usage
  /** What the model wrote: answer, reasoning, arguments of tool calls. What only repeats it is left out. */
  readonly text?: string
  /** The whole text of an item, of which pieces may have passed before as `text`. */
  readonly whole?: WholeItem
  /** The model calls a tool, even if no argument has come yet. */
  readonly callsTool?: boolean
  /** The provider says that it failed, in a sentence. */
  readonly error?: string
  /** It is the stream's last message: nothing follows it. */
  readonly isLast?: boolean
  /** It tells usage and nothing else, and comes only if `usageRequest` asked for it. */
  readonly isUsageOnly?: boolean
}

/** An item of an answer that a message repeats from its beginning to its end. */
export interface WholeItem {
  /** Tells it from other items of the same answer. */
  readonly id: string
  /** All of its text. */
  readonly text: string
}

/** How far a stream has come with one of its messages. */
export interface Progress {
  /** The message ends the answer, though no finish reason says so and more may follow. */
  readonly isEnd?: boolean
  /** The message is content though it holds no text and calls no tool: a picture, or sound. */
  readonly isContent?: boolean
  /** Of several choices (`n > 1`), those that the message is about. Default: the first. */
  readonly choices?: readonly ChoiceState[] | undefined
  /** The message's number within its stream, if the protocol counts them. */
  readonly sequenceNumber?: number | undefined
}

/** One of several answers to a request. */
export interface ChoiceState {
  /** Its place among them, from 0. */
  readonly index: number
  /** It ends with this message. */
  readonly isEnded: boolean
}
