/**
 * Token counts as the provider counts them; a figure that the provider does not report is absent. Providers differ in
 * which figure includes which: OpenAI's input includes what was read from a cache, Anthropic's and Bedrock's does not;
 * OpenAI's output includes reasoning, Google's and xAI's does not.
 */
export interface Usage {
  /** Tokens of the request. */
  readonly inputTokens?: number
  /** Tokens of the answer. */
  readonly outputTokens?: number
  /** The total that the provider reports. */
  readonly totalTokens?: number
  /** Input that was read from a cache. */
  readonly cachedInputTokens?: number
  /** Input that was written to a cache. */
  readonly cacheWriteTokens?: number
  /** Output that was reasoning. */
  readonly reasoningTokens?: number
  /**
   * Input tokens of another model that the provider called as a tool (OpenAI's image generation, Anthropic's advisor).
   * No other figure includes them: they have their own price.
   */
  readonly toolInputTokens?: number
  /** Output tokens of such a model; see `toolInputTokens`. */
  readonly toolOutputTokens?: number
}

/**
 * Where a provider counts a part of its tokens: inside the whole, outside it, or in whichever of the two its total
 * shows.
 */
export type Place = 'inside' | 'outside' | 'by total'

/** Which of a provider's figures includes which. */
export interface Counting {
  /** Where cached input (read from a cache or written to one) is counted: inside `inputTokens` or outside. */
  readonly cache: Place
  /** Where reasoning is counted: inside `outputTokens` or outside. */
  readonly reasoning: Place
}

/**
 * Parsed content of one message of an answer: an event's data, a line, or a whole JSON answer. Fields without a value
 * in the message are left out.
 */
export interface ParsedMessage {
  /** The model that answers. */
  readonly model?: string
  /** The provider's id of the answer. */
  readonly responseId?: string
  /**
   * Why the answer ends. Its presence means that the answer does end; `error` and `failed` mean that the provider
   * failed.
   */
  readonly finishReason?: string
  /** Tokens so far: totals, not the increase since the last message. */
  readonly usage?: Usage
  /** Its figures replace earlier ones, even by 0; otherwise a 0 leaves a known figure unchanged. */
  readonly replacesUsage?: boolean
  /** What the provider bills, if that is more than `usage`, which may leave out some calls of the model. */
  readonly billed?: Usage
  /**
   * What the model wrote: answer, reasoning, arguments of tool calls; without text that only repeats earlier messages.
   */
  readonly text?: string
  /** The whole text of an item, parts of which earlier messages may have sent as `text`. */
  readonly whole?: WholeItem
  /** The model calls a tool, even if no argument has arrived yet. */
  readonly callsTool?: boolean
  /** Text of a failure that the provider reports. */
  readonly error?: string
  /** The provider is still writing the answer, in the background: what it says so far is not final. */
  readonly isPending?: boolean
  /** The message is the last one of the stream. */
  readonly isLast?: boolean
  /** The message has usage and nothing else, and is sent only because `usageRequest` asked for it. */
  readonly isUsageOnly?: boolean
}

/** An item of an answer that a message repeats from its beginning to its end. */
export interface WholeItem {
  /** Distinguishes it from other items of the same answer. */
  readonly id: string
  /** Its complete text. */
  readonly text: string
}

/** How far one of its messages brings a stream. */
export interface Progress {
  /** The message ends the answer, although it has no finish reason and more may follow. */
  readonly isEnd?: boolean
  /** The message is content although it has no text and calls no tool: a picture, or sound. */
  readonly isContent?: boolean
  /** The choices that the message is about, if there are several (`n > 1`). Default: the first. */
  readonly choices?: readonly ChoiceState[] | undefined
  /** The message's number within its stream, if the protocol counts them. */
  readonly sequenceNumber?: number | undefined
}

/** State of one of several answers to a request. */
export interface ChoiceState {
  /** Its index, from 0. */
  readonly index: number
  /** Whether it ends with this message. */
  readonly isEnded: boolean
}
