import {
  type Counting,
  isBlank,
  isFailure,
  MAX_ANSWER_ID_LENGTH,
  MAX_MODEL_ID_LENGTH,
  mergeUsage,
  type ParsedMessage,
  type Progress,
  reasoningOutsideOutput,
  type Tokens,
  tokensOf,
  type Usage,
} from '../formats/index.js'
import { beginningOf } from '../util/beginning-of.js'
import { ChoiceEnds } from './choice-ends.js'

/** Ids are remembered for long, and a part of one is none. */
function usableId(id: string | undefined): string | undefined {
  return id !== undefined && id.length > MAX_ANSWER_ID_LENGTH ? undefined : id
}

/** What a message says, and the HTTP status that its error stands for, if it shows that. */
export interface Reading extends ParsedMessage {
  readonly errorStatus?: number | undefined
  /** It reports on something else (a job, a tool, a note): the end and errors of that are not this answer's. */
  readonly reportsOnAnother?: true
}

/** Returns whether a message is content: what the model has generated, or an end, which a user no longer needs to wait for. */
function isContent(reading: ParsedMessage, progress: Progress): boolean {
  return isGenerated(reading, progress) || Boolean(reading.finishReason || reading.isLast || progress.isEnd)
}

/** Returns whether a message has something that the model has generated: text, a call, a picture, sound. */
function isGenerated({ text, callsTool, whole }: ParsedMessage, progress: Progress): boolean {
  return Boolean(text || callsTool || whole || progress.isContent)
}

/** What an answer has reported. */
export interface AnswerFacts
  extends Pick<UsageAccumulator, 'model' | 'responseId' | 'finishReason' | 'usage' | 'billed' | 'estimatedTokens'> {
  /** The estimate when the provider last reported its output. */
  readonly estimateWhenReported: number
}

/** Accumulates what the messages of one answer report. */
export class UsageAccumulator {
  model: string | undefined
  responseId: string | undefined
  /** Called with the id of the answer as soon as a message has it. */
  onIdentified: ((responseId: string) => void) | undefined
  finishReason: string | undefined
  usage: Usage | undefined
  /** What the provider bills, if it reported more than `usage`. */
  billed: Usage | undefined
  /** The provider's error within an answer that had begun well. */
  error: string | undefined
  /** The provider has sent the last message of its stream. */
  isLast = false
  /** The provider is still writing the answer, in the background. */
  isPending = false
  /** The stream had a message of its format, so it is known how the stream must end. */
  isRecognised = false
  /** Data of the last message that was not of the stream's format: if it is the only one, it may be a whole answer. */
  #unknown: unknown
  /** What a message said that was neither of the format nor of an answer. */
  #saying: string | undefined
  /** A message may have been of an answer in another protocol. */
  #mayBeOther = false
  #errorStatus: number | undefined
  /** The answer ended without a finish reason. */
  #isEnded = false
  /** Value of the estimate when a message was read with which all choices had ended. */
  #estimateAtEnd: number | undefined
  readonly #choices = new ChoiceEnds()
  /** Highest sequence number of a message, if the protocol has them. */
  sequenceNumber: number | undefined
  /** The body ended in the middle of its JSON, or of an event. */
  isTruncated = false
  /** Whether any frame contained a message. */
  hasMessages = false
  #strayText: string | undefined
  /** Whether all messages that are not of the stream's format say nothing; `undefined` if there are none. */
  #isBlank: boolean | undefined
  /** When content last passed, in monotonic milliseconds. Complete only if somebody asked for it. */
  contentAt: number | undefined
  /** When the end became known, in monotonic milliseconds; `undefined` if only the end of the body showed it. */
  endedAt: number | undefined
  /** Estimated tokens of the text that has passed. */
  estimatedTokens = 0
  /** Value of the estimate when the provider last reported its output tokens. */
  #estimateWhenReported = 0
  /** Value of the estimate when the provider reported a total without saying what of it is output. */
  #estimateInTotal = 0
  /** The provider reported its output at the end of the answer: anything estimated after that is not text. */
  #isReportedAtEnd = false
  /** When the model's first text or tool call passed, in monotonic milliseconds. */
  firstTokenAt: number | undefined

  /** Takes over what was reported of an answer that is sent again. */
  restore({
    model,
    responseId,
    finishReason,
    usage,
    billed,
    estimatedTokens,
    estimateWhenReported,
  }: AnswerFacts): void {
    this.model = model
    this.responseId = responseId
    this.finishReason = finishReason
    this.usage = usage
    this.billed = billed
    this.estimatedTokens = estimatedTokens
    this.#estimateWhenReported = estimateWhenReported
    this.#estimateInTotal = estimatedTokens
    this.#isReportedAtEnd = usage?.outputTokens !== undefined && estimateWhenReported === estimatedTokens
    this.isLast = true
  }

  /**
   * Notes a message that is not one of the format's.
   *
   * @param data its parsed JSON
   * @param saying what it says, if it cannot be of an answer in another protocol either
   */
  noteUnknown(data: unknown, saying: string | undefined): void {
    this.#unknown = data
    const saysNothing = isBlank(data)
    this.#isBlank = saysNothing && this.#isBlank !== false
    if (saysNothing) return
    if (saying !== undefined) this.#saying = saying
    else if (data !== undefined) this.#mayBeOther = true
  }

  /** Whether nothing has been read but messages that say nothing at all, such as `null`. */
  get isBlank(): boolean {
    return this.#isBlank === true && !this.isRecognised
  }

  /** Data of the last message that was not of the stream's format. */
  get unknownMessage(): unknown {
    return this.#unknown
  }

  /** What was said in the place of an answer; `undefined` if there was an answer, or may have been one. */
  get saidInstead(): string | undefined {
    const isAnswer =
      this.isRecognised || this.#mayBeOther || this.finishReason !== undefined || this.usage !== undefined
    return isAnswer ? undefined : this.#saying
  }

  /** The HTTP status that the error stands for; `undefined` if it does not show that. */
  get errorStatus(): number | undefined {
    return this.#errorStatus
  }

  /** What the answer has reported. */
  get facts(): AnswerFacts {
    const { model, responseId, finishReason, usage, billed, estimatedTokens } = this
    const estimateWhenReported = this.#isReportedAtEnd ? estimatedTokens : this.#estimateWhenReported
    return { model, responseId, finishReason, usage, billed, estimatedTokens, estimateWhenReported }
  }

  #identify(responseId: string | undefined): void {
    this.responseId = responseId
    if (responseId !== undefined) this.onIdentified?.(responseId)
  }

  /** Adds a message. Earlier values stay unless this message replaces them. */
  add(reading: Reading, now: number): void {
    if (reading.model) this.model = beginningOf(reading.model, MAX_MODEL_ID_LENGTH)
    if (this.responseId === undefined) this.#identify(usableId(reading.responseId))
    if (reading.finishReason) this.finishReason = beginningOf(reading.finishReason, MAX_MODEL_ID_LENGTH)
    if (reading.usage) this.usage = this.#withReported(reading.usage, reading.replacesUsage === true)
    this.billed = reading.billed ?? this.billed
    if (reading.usage?.outputTokens) this.#estimateWhenReported = this.estimatedTokens
    if (reading.usage?.totalTokens) this.#estimateInTotal = this.estimatedTokens
    this.error = reading.error ?? this.error
    this.#errorStatus = reading.errorStatus ?? this.#errorStatus
    if (reading.finishReason && !reading.reportsOnAnother && isFailure(reading.finishReason))
      this.error ??= `finish reason ${reading.finishReason}`
    if (reading.isLast) this.isLast = true
    if (reading.isPending) this.isPending = true
    else if (reading.finishReason || reading.isLast) this.isPending = false
    if (reading.text || reading.callsTool || reading.whole) this.noteFirstToken(now)
    if (!this.isComplete) this.#estimateAtEnd = undefined
    else if (reading.finishReason) this.#estimateAtEnd ??= this.estimatedTokens
    this.#trackOrder(reading, this.finishReason !== undefined || this.isLast)
  }

  /** Notes when the model's first text or tool call passed; the first call counts. */
  noteFirstToken(now: number): void {
    this.firstTokenAt ??= now
  }

  /** Notes when the end became known. @param isLast whether the provider has sent the last message of its stream */
  noteEnd(now: number, isLast: boolean): void {
    if (isLast) this.isLast = true
    this.endedAt = now
  }

  #withReported(reported: Usage, replaces: boolean): Usage | undefined {
    if (!replaces) return mergeUsage(this.usage, reported)
    const usage = { ...this.usage, ...reported }
    // Servers that do not know the output report 0 although text has passed.
    const knowsNone = reported.outputTokens === 0 && this.estimatedTokens > 0
    return knowsNone ? { ...usage, outputTokens: this.usage?.outputTokens ?? 0 } : usage
  }

  /** The usage is not this exchange's. */
  disregardUsage(): void {
    this.usage = this.billed = undefined
    this.estimatedTokens = this.#estimateWhenReported = 0
  }

  /** The last frames of an event stream that contain no event: perhaps a page, or an error in JSON. */
  get strayText(): string | undefined {
    return this.#strayText
  }

  /** Keeps frames without an event that came before those that were kept. */
  keepStray(frames: readonly Buffer[]): void {
    this.#strayText = Buffer.concat(frames).toString() + (this.#strayText ?? '')
  }

  /** The last messages follow once more, in order: some of them have been read before. */
  rewind(): void {
    this.#choices.rewind()
  }

  /** Adds one of the last messages, in order, after its text has been counted: only the later ones of them follow. */
  addAtEnd({ text, usage, billed, ...reading }: ParsedMessage, now: number): void {
    this.add(reading, now)
    this.#trackOrder({ ...(text && { text }), ...(usage && { usage }) }, true)
  }

  #trackOrder({ text, usage }: ParsedMessage, isAtEnd: boolean): void {
    if (usage?.outputTokens !== undefined) this.#isReportedAtEnd = isAtEnd
    else if (text) this.#isReportedAtEnd = false
  }

  /** Records how far a message brings the stream. */
  advance(progress: Progress, reading: ParsedMessage, now: number): void {
    this.isRecognised = true
    if (progress.isEnd) this.#isEnded = true
    const { sequenceNumber = -1 } = progress
    if (sequenceNumber > (this.sequenceNumber ?? -1)) this.sequenceNumber = sequenceNumber
    if (this.#choices.advance(progress.choices, reading, isGenerated(reading, progress)))
      this.#estimateAtEnd = undefined
    if (isContent(reading, progress)) this.contentAt = now
  }

  /** Whether several choices have begun: each then reports its own end. */
  get hasSeveralChoices(): boolean {
    return this.#choices.count > 1
  }

  /**
   * Whether the provider reported that its answer is complete: by the last message, or by a finish reason for each
   * choice.
   */
  get isComplete(): boolean {
    return this.#hasLast || (this.finishReason !== undefined && this.#choices.haveEnded)
  }

  /** Whether it did, for as many choices as were asked for: some providers send one after the other. */
  isCompleteFor(choices: number): boolean {
    return this.#hasLast || (this.isComplete && this.#choices.haveBegun(choices))
  }

  get #hasLast(): boolean {
    return this.isLast || this.#isEnded
  }

  /**
   * Whether text, a call or a picture has followed a finish reason, which has ended nothing then. Most messages with text
   * are not read, but all text is counted.
   */
  get hasContentAfterEnd(): boolean {
    return this.#choices.hasContentAfterEnd || this.estimatedTokens > (this.#estimateAtEnd ?? Number.POSITIVE_INFINITY)
  }

  /** The reported usage. Of a total alone, the text that had passed is output, and the rest input. */
  get #splitUsage(): Usage | undefined {
    const { usage } = this
    const total = usage?.totalTokens
    const isAlone = usage?.inputTokens === undefined && usage?.outputTokens === undefined
    const passed = Math.round(this.#estimateInTotal)
    if (!total || !isAlone || passed === 0 || reasoningOutsideOutput(usage) > 0) return usage
    const outputTokens = Math.min(passed, total)
    return { ...usage, inputTokens: total - outputTokens, outputTokens }
  }

  /** Output tokens so far: as reported, plus the estimate since then. */
  get outputTokens(): number {
    const usage = this.#splitUsage
    if (usage !== this.usage) {
      return usage!.outputTokens! + Math.round(this.estimatedTokens - this.#estimateInTotal)
    }
    const reported = usage?.outputTokens ?? 0
    // A figure reported before any text is a start value or a forecast, and covers what follows.
    if (this.#estimateWhenReported === 0) return Math.max(reported, Math.round(this.estimatedTokens))
    return reported + Math.round(this.estimatedTokens - this.#estimateWhenReported)
  }

  /** Output tokens so far, including reasoning wherever the provider counts it. */
  get generatedTokens(): number {
    if (!this.usage) return this.outputTokens
    // The estimate may be of the reasoning's text, which must not count twice.
    return Math.max(this.outputTokens, (this.usage.outputTokens ?? 0) + reasoningOutsideOutput(this.usage))
  }

  /**
   * Returns the usage to record.
   *
   * @param isComplete whether the answer arrived completely, so that the provider has reported all that it reports
   */
  usageAt(isComplete: boolean): (Usage & { estimated: boolean }) | undefined {
    const isReported = this.usage !== undefined && (this.usage.outputTokens !== undefined || this.estimatedTokens === 0)
    // Figures are not final if text followed them, whatever the provider said then; nor are those of a failed stream.
    const isFinal = this.#isReportedAtEnd || this.estimatedTokens === this.#estimateWhenReported
    if (isComplete && isReported && isFinal && this.error === undefined) return { ...this.usage, estimated: false }
    const outputTokens = this.outputTokens
    if (!this.usage && outputTokens === 0) return undefined
    const usage = this.#splitUsage
    const reported = usage?.totalTokens
    // The reported total covers what had been generated by then, and may include more than input and output.
    const totalTokens = reported === undefined ? undefined : reported + outputTokens - (usage?.outputTokens ?? 0)
    return { ...usage, outputTokens, ...(totalTokens !== undefined && { totalTokens }), estimated: true }
  }

  /** Returns the same with one meaning for all providers, including everything billed. */
  tokensAt(isComplete: boolean, counting: Counting): Tokens | undefined {
    const usage = this.usageAt(isComplete)
    const known = this.#splitUsage
    if (!usage?.estimated || !known) return usage && tokensOf(this.billed ?? usage, counting)
    // The estimate includes the text of the reasoning, which must not count twice. What is billed besides did not pass.
    const passed = tokensOf(known, counting)
    const missing = Math.max(0, this.generatedTokens - passed.visibleOutput - passed.reasoning)
    const reported = this.billed ? tokensOf(this.billed, counting) : passed
    return { ...reported, visibleOutput: reported.visibleOutput + missing, total: reported.total + missing }
  }
}
