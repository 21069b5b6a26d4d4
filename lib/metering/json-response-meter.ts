import type { JsonReading, Metering } from '../exchange/metering.js'
import type { UsageAccumulator } from '../exchange/usage-accumulator.js'
import {
  answersInObjects,
  type CompleteFormat,
  isBlank,
  type JsonObject,
  saidErrorIn,
  sentenceWithoutAnswer,
  spokenErrorIn,
  statusOfError,
} from '../formats/index.js'
import { isObject, isUnfinishedJson, tryParseJsonBytes } from '../json/json.js'
import { type TokensOf, tokensByApp } from '../options/estimate-tokens.js'
import { JsonDigest } from './digest.js'
import { RunningEstimate } from './estimate.js'
import { isExpensiveToParse } from './parse-cost.js'
import { withoutError } from './read-frame.js'

/**
 * Of larger answers (embeddings by the thousand, pictures), only a digest is parsed. Each chunk is scanned in its own
 * turn, so that megabytes neither pile up nor hold the event loop at the end.
 */
const MAX_PARSED_BYTES = 256 * 1024

/** Beyond this size a digest is made as bytes arrive, because the whole answer may turn out too expensive to parse. */
const MIN_DIGESTED_BYTES = 16 * 1024

/** Of a text in the place of JSON, this much is read: an error is shorter. */
export const MAX_TEXT_BYTES = 4096

const EMPTY = 'The answer is empty'

interface JsonMeterOptions {
  readonly estimateTokens?: TokensOf | undefined
  readonly asksModel?: boolean
  readonly isState?: boolean
  /** What was read of the answer before it passes. */
  readonly known?: JsonReading | undefined
}

/** Meters a JSON answer that is not a stream: it passes unchanged, and is read once it is complete. */
export class JsonResponseMeter implements Metering {
  /** What the answer says, once it has been read. */
  result: JsonReading | undefined
  readonly #format: CompleteFormat
  readonly #accumulator: UsageAccumulator
  readonly #estimateTokens: TokensOf | undefined
  readonly #isObject: boolean
  readonly #asksModel: boolean
  readonly #isState: boolean
  #bytes = 0
  /** Chunks of an answer that is not large yet. */
  #chunks: Buffer[] = []
  #digest: JsonDigest | undefined
  #known: JsonReading | undefined

  /**
   * @param asksModel whether the request makes a model answer, so that there must be something of an answer
   * @param isState whether it asks for the state of something that has errors of its own
   * @param known is not read once more, if as many bytes pass
   */
  constructor(
    format: CompleteFormat,
    accumulator: UsageAccumulator,
    { estimateTokens, asksModel = false, isState = false, known }: JsonMeterOptions = {},
  ) {
    this.#format = format
    this.#accumulator = accumulator
    this.#estimateTokens = estimateTokens
    this.#asksModel = asksModel
    this.#isState = isState
    this.#known = known
    this.#isObject = answersInObjects(format)
  }

  pass(bytes: Buffer): Buffer {
    this.#bytes += bytes.length
    if (this.#bytes > MIN_DIGESTED_BYTES) {
      this.#digest ??= this.#createDigest()
      this.#digest.push(bytes)
    }
    if (this.#bytes <= MAX_PARSED_BYTES) {
      this.#chunks.push(bytes)
    } else {
      this.#chunks = []
      // Parse the digest in this turn, not at the end.
      void this.#digest?.value
    }
    return bytes
  }

  finish(now: number): void {
    const read = this.#known?.bytes === this.#bytes ? this.#known : this.#read()
    this.#digest = undefined
    this.#chunks = []
    this.#known = undefined
    this.result = read
    const { text, reading } = read
    if (!reading) return
    const output = reading.usage?.outputTokens ?? this.#accumulator.usage?.outputTokens
    if (text && output === undefined) this.#accumulator.estimatedTokens = this.#estimated(text, reading.model)
    this.#accumulator.add(reading, now)
  }

  #read(): JsonReading {
    const bytes = this.#bytes
    const parsed = this.#answer()
    const answer = parsed === undefined ? this.#textInstead() : parsed
    const said =
      saidErrorIn(answer, this.#format, this.#isState) ?? (this.#isObject ? this.#spokenIn(answer) : undefined)
    if (!isObject(answer)) {
      return { bytes, reading: said === undefined ? undefined : { error: said, errorStatus: statusOfError(answer) } }
    }
    // The answer arrived all at once, so there is no first token.
    const { text, callsTool, ...read } = this.#format.readAnswer(answer)
    const reading = this.#isState ? withoutError(read) : read
    const isRead = Boolean(text || callsTool) || Object.keys(read).length > 0
    const error = said ?? (isRead ? undefined : this.#saidInstead(answer))
    const failed = (error ?? reading.error) !== undefined && { errorStatus: statusOfError(answer) }
    return { bytes, text, reading: { ...(error !== undefined && { error }), ...reading, ...failed } }
  }

  /** Returns what is said in the place of an object, or of what should be in it. */
  #spokenIn(answer: unknown): string | undefined {
    const spoken = spokenErrorIn(answer)
    return spoken === undefined && this.#mayBeNone && isBlank(answer) ? EMPTY : spoken
  }

  /** Whether the answer may be none: it has to be what a model made, is short, and nothing is known of it. */
  get #mayBeNone(): boolean {
    return this.#asksModel && this.#bytes > 0 && this.#bytes <= MAX_TEXT_BYTES && !this.#accumulator.usage
  }

  /** Returns what an object says that has nothing of an answer, in the place of one. */
  #saidInstead(answer: JsonObject): string | undefined {
    return this.#mayBeNone ? sentenceWithoutAnswer(answer) : undefined
  }

  /** Estimates the tokens of an answer's text if the answer does not report them. */
  #estimated(text: string, model = this.#accumulator.model): number {
    const estimate = new RunningEstimate()
    estimate.add(text, tokensByApp(this.#estimateTokens, text, model))
    return estimate.tokens
  }

  #createDigest(): JsonDigest {
    const digest = new JsonDigest(this.#format.answerFields)
    for (const chunk of this.#chunks) digest.push(chunk)
    return digest
  }

  /** Returns the beginning of what is not JSON. */
  #textInstead(): string | undefined {
    const [first] = this.#chunks
    return first && Buffer.concat(this.#chunks).toString('utf8', 0, MAX_TEXT_BYTES)
  }

  #answer(): unknown {
    const isLarge = this.#bytes > MAX_PARSED_BYTES
    const bytes = isLarge || this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks)
    if (this.#digest && (!bytes || isExpensiveToParse(bytes))) {
      if (this.#digest.isUnfinished) this.#accumulator.isTruncated = true
      return this.#digest.value
    }
    if (!bytes) return undefined
    const answer = tryParseJsonBytes(bytes)
    if (answer === undefined && isUnfinishedJson(bytes)) this.#accumulator.isTruncated = true
    return answer
  }
}
