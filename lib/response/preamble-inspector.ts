import type { IncomingMessage } from 'node:http'
import { type InspectedExchange, type Inspection, UNREADABLE, type Verdict } from './inspection.js'
import { EventsInspection } from './preamble-events.js'
import { JsonInspection } from './preamble-json.js'
import { type BodyKind, kindByFirstBytes, kindByHead } from './response-plan.js'

/** Looks into the beginning of an answer: first for what it is, by its head or its first bytes, then for content. */
export class PreambleInspector implements Inspection {
  readonly #exchange: InspectedExchange
  readonly #maxEvents: number
  readonly #contentType: string | undefined
  readonly #isCloseDelimited: boolean
  /** The first bytes, until they show what the body is. */
  #start = Buffer.alloc(0)
  #inspection: Inspection | undefined
  #isLate = false
  /** The head shows that nothing can be seen in the body. */
  readonly isUnreadable: boolean

  /** @param maxEvents number of events without content after which the answer is ready */
  constructor(response: IncomingMessage, exchange: InspectedExchange, maxEvents: number) {
    const { headers } = response
    this.#exchange = exchange
    this.#maxEvents = maxEvents
    this.#contentType = headers['content-type']
    this.#isCloseDelimited = !('content-length' in headers) && !('transfer-encoding' in headers)
    const kind = kindByHead(response, exchange)
    this.#inspection = kind && this.#inspectionOf(kind)
    this.isUnreadable = kind !== undefined && this.#inspection === undefined
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
    if (this.#inspection) return this.#inspection.push(chunk, now)
    this.#start = Buffer.concat([this.#start, chunk])
    const kind = kindByFirstBytes(this.#start, false, this.#exchange, this.#contentType)
    return kind && this.#begin(kind, now)
  }

  end(now: number): Verdict {
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

  #inspectionOf({ framing, isJson }: BodyKind): Inspection | undefined {
    if (framing) return new EventsInspection(this.#exchange, framing, this.#maxEvents, this.#isCloseDelimited)
    return isJson ? new JsonInspection(this.#exchange) : undefined
  }
}
