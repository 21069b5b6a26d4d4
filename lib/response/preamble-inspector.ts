import type { IncomingMessage } from 'node:http'
import { answersInObjects, downloadsFile, spokenErrorIn } from '../formats/index.js'
import { type AnswerStart, answerStartFor } from './answer-start.js'
import { type InspectedExchange, type Inspection, PAGE, TRUNCATED, UNREADABLE, type Verdict } from './inspection.js'
import { labelOf } from './label.js'
import { EventsInspection } from './preamble-events.js'
import { JsonInspection } from './preamble-json.js'
import { type BodyKind, isReadWhole, kindByFirstBytes, kindByHead } from './response-plan.js'

/** A longer text in the place of a stream is no error. */
const MAX_ERROR_BYTES = 4096

/** Looks into the beginning of an answer: first for what it is, by its head or its first bytes, then for content. */
export class PreambleInspector implements Inspection {
  readonly #exchange: InspectedExchange
  readonly #maxEvents: number
  readonly #response: IncomingMessage
  readonly #contentType: string | undefined
  readonly #isCloseDelimited: boolean
  /** The head says that the body is as short as an error's. */
  readonly #isShort: boolean
  /** The first bytes, until they show what the body is. */
  #start = Buffer.alloc(0)
  #inspection: Inspection | undefined
  /** Set if the body has to be a model's answer. */
  readonly #answerStart: AnswerStart | undefined
  #isLate = false
  /** Nothing can be seen in the body but whether it is a page, and whether there is any. */
  readonly isOpaque: boolean
  /** The head shows that nothing need be looked for in the body. */
  readonly isUnreadable: boolean

  /** @param maxEvents number of events without content after which the answer is ready */
  constructor(response: IncomingMessage, exchange: InspectedExchange, maxEvents: number) {
    const { headers } = response
    this.#exchange = exchange
    this.#maxEvents = maxEvents
    this.#response = response
    this.#contentType = headers['content-type']
    this.#isCloseDelimited = !('content-length' in headers) && !('transfer-encoding' in headers)
    this.#isShort = Number(headers['content-length'] ?? Number.NaN) <= MAX_ERROR_BYTES
    const kind = kindByHead(response, exchange)
    this.#inspection = kind && this.#inspectionOf(kind)
    this.#answerStart = answerStartFor(response, exchange)
    this.isOpaque = kind !== undefined && this.#inspection === undefined
    // A page would be seen. But the head of a stream may go out meanwhile, and binary bytes can then not follow.
    this.isUnreadable = this.isOpaque && (exchange.asksForStream || this.#answerStart === undefined)
  }

  get hasBegun(): boolean {
    return this.#inspection?.hasBegun ?? this.#start.length > 0
  }

  /** The answer is known to be a stream of events. */
  get isStream(): boolean {
    return this.#inspection instanceof EventsInspection
  }

  /** The answer is known to be JSON that is not streamed. */
  get isJson(): boolean {
    return this.#inspection instanceof JsonInspection
  }

  hurry(): void {
    this.#isLate = true
    this.#inspection?.hurry()
  }

  push(chunk: Buffer, now: number): Verdict | undefined {
    const answerStart = this.isStream ? undefined : this.#answerStart
    if (answerStart?.push([chunk])) return PAGE
    if (this.#inspection) return this.#inspection.push(chunk, now)
    this.#start = Buffer.concat([this.#start, chunk])
    const isUndecided = answerStart !== undefined && !answerStart.isKnown
    if (this.isOpaque) return isUndecided ? undefined : UNREADABLE
    if (isUndecided && !answerStart.isBlank) return undefined
    const kind = kindByFirstBytes(this.#start, false, this.#exchange, this.#contentType)
    return kind && this.#begin(kind, now)
  }

  end(now: number): Verdict {
    if (this.#answerStart?.isKnown === false && !this.isStream) return this.#answerStart.isBlank ? TRUNCATED : PAGE
    if (this.isOpaque) return UNREADABLE
    const kind = this.#inspection ? undefined : kindByFirstBytes(this.#start, true, this.#exchange, this.#contentType)
    const verdict = kind && this.#begin(kind, now)
    return verdict ?? this.#inspection?.end(now) ?? UNREADABLE
  }

  #begin(kind: BodyKind, now: number): Verdict | undefined {
    this.#inspection = this.#inspectionOf(kind)
    if (!this.#inspection) return UNREADABLE
    if (this.#isLate) this.#inspection.hurry()
    return this.#inspection.push(this.#start, now)
  }

  #inspectionOf(kind: BodyKind): Inspection | undefined {
    const { framing } = kind
    const { client, path } = this.#exchange
    if (downloadsFile(client.method, path)) return undefined
    if (framing) return new EventsInspection(this.#exchange, framing, this.#maxEvents, this.#isCloseDelimited)
    // A text that is written as it comes must not wait for its end, unless it is labelled as JSON.
    const isJson = kind.isJson || labelOf(this.#contentType).isJson
    const mayWait = isJson || this.#isShort || !this.#exchange.asksForStream || this.#startsAsError()
    return isReadWhole(kind) && mayWait ? new JsonInspection(this.#exchange, this.#response) : undefined
  }

  /** Whether what has come of a text says that something failed. */
  #startsAsError(): boolean {
    const text = this.#start.toString('utf8', 0, MAX_ERROR_BYTES)
    return answersInObjects(this.#exchange.format) && spokenErrorIn(text) !== undefined
  }
}
