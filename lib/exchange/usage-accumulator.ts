import {
  type Counting,
  isFailure,
  mergeUsage,
  type ParsedMessage,
  type Progress,
  reasoningBesideOutput,
  type Tokens,
  tokensOf,
  type Usage,
} from '../formats/index.js'

/** OpenAI takes no `n` above 128 (https://platform.openai.com/docs/api-reference/chat/create#chat_create-n). */
const MOST_CHOICES = 128

/** Text, a call, or an end: what a user waits for, or need not wait for any more. */
function isContent({ text, callsTool, whole, finishReason, isLast }: ParsedMessage, progress: Progress): boolean {
  return Boolean(text || callsTool || whole || finishReason || isLast || progress.isContent || progress.isEnd)
}

/** What the messages of one answer have told so far. */
export class UsageAccumulator {
  model: string | undefined
  responseId: string | undefined
  finishReason: string | undefined
  usage: Usage | undefined
  /** What the provider bills, where it told that that is more than `usage`. */
  billed: Usage | undefined
  /** The provider said that it failed, within an answer that had begun well. */
  error: string | undefined
  /** The provider said that its stream is over. */
  isLast = false
  /** A message of the stream was one of its format, so that it is known how the stream ends. */
  isRecognised = false
  /** The answer ended without a finish reason. */
  #isEnded = false
  /** By index: whether a choice that has begun has ended. */
  readonly #choices: boolean[] = []
  /** The number of the stream's last message, where its protocol counts them. */
  sequenceNumber: number | undefined
  /** The body ended where its JSON, or an event in it, could not. */
  isCut = false
  /** Some frame had a message in it. */
  hasMessages = false
  /** The last frames of an event stream in which no event stands: a page, perhaps, or an error in JSON. */
  strayText: string | undefined
  /** When content passed last, in monotonic milliseconds. It is known of all of it only where somebody asks. */
  contentAt: number | undefined
  /** When it was known to be over, in monotonic milliseconds; `undefined` where the end of the body had to say that. */
  endedAt: number | undefined
  /** Tokens of the text that has passed, estimated. */
  estimatedTokens = 0
  /** The estimate when the provider last told how many tokens there were by then. */
  #estimateWhenTold = 0
  /** The provider told its output at the end of the answer; what is estimated behind that is no text. */
  #isToldAtEnd = false
  /** When the model's first text passed, or its first call of a tool, in monotonic milliseconds. */
  firstTokenAt: number | undefined

  /** Takes in what a message says. What an earlier one said stands, unless this one says it anew. */
  note(reading: ParsedMessage, now: number): void {
    if (reading.model) this.model = reading.model
    this.responseId ??= reading.responseId
    if (reading.finishReason) this.finishReason = reading.finishReason
    if (reading.usage) this.usage = this.#withTold(reading.usage, reading.replacesUsage === true)
    this.billed = reading.billed ?? this.billed
    if (reading.usage?.outputTokens) this.#estimateWhenTold = this.estimatedTokens
    this.error = reading.error ?? this.error
    if (reading.finishReason && isFailure(reading.finishReason)) this.error ??= `finish reason ${reading.finishReason}`
    if (reading.isLast) this.isLast = true
    if (reading.text || reading.callsTool || reading.whole) this.firstTokenAt ??= now
    this.#noteOrder(reading, this.finishReason !== undefined || this.isLast)
  }

  #withTold(told: Usage, replaces: boolean): Usage | undefined {
    if (!replaces) return mergeUsage(this.usage, told)
    const usage = { ...this.usage, ...told }
    // No output, though text has passed, is told by servers that do not know.
    const knowsNone = told.outputTokens === 0 && this.estimatedTokens > 0
    return knowsNone ? { ...usage, outputTokens: this.usage?.outputTokens ?? 0 } : usage
  }

  /** Takes in one of the last messages, in order, whose text has been counted: nothing follows but those behind it. */
  noteAtEnd({ text, usage, billed, ...reading }: ParsedMessage, now: number): void {
    this.note(reading, now)
    this.#noteOrder({ ...(text && { text }), ...(usage && { usage }) }, true)
  }

  #noteOrder({ text, usage }: ParsedMessage, isAtEnd: boolean): void {
    if (usage?.outputTokens !== undefined) this.#isToldAtEnd = isAtEnd
    else if (text) this.#isToldAtEnd = false
  }

  /** Takes in how far a message of the stream has brought it. */
  follow(progress: Progress, reading: ParsedMessage, now: number): void {
    this.isRecognised = true
    if (progress.isEnd) this.#isEnded = true
    this.sequenceNumber = progress.sequenceNumber ?? this.sequenceNumber
    // The first one, which seemed to be the only one, may have ended unseen; if it has not, it comes again.
    if (progress.choices?.some(({ index }) => index > 0) && !this.hasSeveralChoices) this.#choices.length = 0
    if (progress.choices) for (const { index, isEnded } of progress.choices) this.#followChoice(index, isEnded)
    else if (reading.text || reading.finishReason) this.#followChoice(0, Boolean(reading.finishReason))
    if (isContent(reading, progress)) this.contentAt = now
  }

  /** Several choices have begun: only each of them tells where it ends. */
  get hasSeveralChoices(): boolean {
    return this.#choices.length > 1
  }

  /** The provider said that its answer is complete: by its stream's last message, or by a finish reason of each choice. */
  get isComplete(): boolean {
    return this.isLast || this.#isEnded || (this.finishReason !== undefined && !this.#choices.includes(false))
  }

  #followChoice(index: number, isEnded: boolean): void {
    if (index >= 0 && index < MOST_CHOICES) this.#choices[index] = isEnded || this.#choices[index] === true
  }

  /** Output tokens so far: as told, and what was estimated since. */
  get outputTokens(): number {
    const told = this.usage?.outputTokens ?? 0
    // What is told before any text is a beginning, or a forecast, and covers what follows.
    if (this.#estimateWhenTold === 0) return Math.max(told, Math.round(this.estimatedTokens))
    return told + Math.round(this.estimatedTokens - this.#estimateWhenTold)
  }

  /** Output tokens so far, with the reasoning, wherever the provider counts that. */
  get generatedTokens(): number {
    if (!this.usage) return this.outputTokens
    // What is estimated may be the text of that reasoning, which is not to count twice.
    return Math.max(this.outputTokens, (this.usage.outputTokens ?? 0) + reasoningBesideOutput(this.usage))
  }

  /**
   * What is to be recorded as used.
   *
   * @param isComplete the answer came to its end, so that the provider has told all that it tells
   */
  usageAt(isComplete: boolean): (Usage & { estimated: boolean }) | undefined {
    const isTold = this.usage !== undefined && (this.usage.outputTokens !== undefined || this.estimatedTokens === 0)
    // Figures that text came after are no final ones, whatever the provider said then. Nor are those of a failed stream.
    const isFinal = this.#isToldAtEnd || this.estimatedTokens === this.#estimateWhenTold
    if (isComplete && isTold && isFinal && this.error === undefined) return { ...this.usage, estimated: false }
    const outputTokens = this.outputTokens
    if (!this.usage && outputTokens === 0) return undefined
    const told = this.usage?.totalTokens
    // The total that was told covers what had been generated by then, and more than input and output.
    const totalTokens = told === undefined ? undefined : told + outputTokens - (this.usage?.outputTokens ?? 0)
    return { ...this.usage, outputTokens, ...(totalTokens !== undefined && { totalTokens }), estimated: true }
  }

  /** The same with one meaning for all providers, and all that is billed. */
  tokensAt(isComplete: boolean, counting: Counting): Tokens | undefined {
    const usage = this.usageAt(isComplete)
    if (!usage?.estimated || !this.usage) return usage && tokensOf(this.billed ?? usage, counting)
    // What is estimated has the text of the reasoning in it, which is not to count twice.
    const told = tokensOf(this.billed ?? this.usage, counting)
    const missing = Math.max(0, this.generatedTokens - told.visibleOutput - told.reasoning)
    return { ...told, visibleOutput: told.visibleOutput + missing, total: told.total + missing }
  }
}
