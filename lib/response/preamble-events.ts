import { UsageAccumulator } from '../exchange/usage-accumulator.js'
import { asksForState, isBlank, statusOfError } from '../formats/index.js'
import type { Framer, Framing } from '../framing/index.js'
import { tryParseJson } from '../json/json.js'
import { advanceBy, interpret, parseFrame, type ReadFrame } from '../metering/read-frame.js'
import { sizeOf } from '../util/size-of.js'
import { acceptsRest, type EndedAnswer, failureAtEnd, failureOfCut, saidInstead } from './ending.js'
import {
  BOUND,
  CONTENT,
  END,
  type InspectedExchange,
  type Inspection,
  RESET,
  TRUNCATED,
  type Verdict,
} from './inspection.js'

/** Names of events that keep a connection alive. A protocol may not list them among its own. */
const PING = /^(?:ping|keep-?alive|heartbeat)$/i

/** Looks into the first events of a stream, with an accumulator of its own: nothing is counted. */
export class EventsInspection implements Inspection {
  readonly #exchange: InspectedExchange
  readonly #framing: Framing
  readonly #framer: Framer
  readonly #maxEvents: number
  readonly #isCloseDelimited: boolean
  readonly #isState: boolean
  readonly #answer = new UsageAccumulator()
  #isLate = false
  #events = 0
  /** Number of bytes that arrived, and of those in frames. */
  #arrived = 0
  #framed = 0
  /** The frames so far, as long as none of them has a message: perhaps they are a page, or an error in JSON. */
  #stray: Buffer[] = []

  constructor(exchange: InspectedExchange, framing: Framing, maxEvents: number, isCloseDelimited: boolean) {
    this.#exchange = exchange
    this.#framing = framing
    this.#framer = framing.createFramer(exchange.limits.maxEventBytes)
    this.#maxEvents = maxEvents
    this.#isCloseDelimited = isCloseDelimited
    const { format, client, path, asksForStream } = exchange
    this.#isState = asksForState(client.method, path, format, asksForStream)
  }

  /** Comments are no beginning: providers send them while the model is silent. */
  get hasBegun(): boolean {
    return this.#events > 0 || this.#arrived > this.#framed
  }

  hurry(): void {
    this.#isLate = true
  }

  push(chunk: Buffer, now: number): Verdict | undefined {
    const framer = this.#framer
    this.#arrived += chunk.length
    const verdict = this.#readAll(framer.push([chunk]), now)
    if (verdict) return verdict
    if (framer.corrupt) return { ...RESET, message: `The provider broke off its answer: ${framer.corrupt}` } as Verdict
    if (framer.tooLarge) return BOUND
    return framer.isClosed ? this.end(now) : undefined
  }

  end(now: number): Verdict {
    const framer = this.#framer
    const answer: EndedAnswer = {
      format: this.#exchange.format,
      answer: this.#answer,
      secrets: this.#exchange.secrets,
      finishMetering() {},
    }
    const body = { framer, framing: this.#framing, isEnclosed: false, metering: undefined }
    const rest = framer.end()
    const isCut = !framer.corrupt && rest !== undefined && !acceptsRest(rest, answer, body)
    if (isCut) framer.discardLast()
    const why = isCut ? 'it ended in the middle of an event' : framer.corrupt
    const verdict = why ? undefined : this.#readAll(rest, now)
    if (verdict) return verdict
    if (!this.#answer.hasMessages) this.#answer.keepStray(this.#stray)
    const failure = why ? failureOfCut(why, answer, body, this.#isCloseDelimited) : failureAtEnd(answer, body)
    if (!failure) return END
    if (failure.code === 'upstream_reset') return RESET
    if (failure.code === 'upstream_truncated') return TRUNCATED
    // What came instead of events: a page, or an error in JSON.
    const status = statusOfError(tryParseJson(this.#answer.strayText ?? ''))
    return { kind: 'error-event', status, message: failure.message }
  }

  #readAll(frames: Buffer | undefined, now: number): Verdict | undefined {
    if (!frames) return undefined
    const { prefix = [], ends } = this.#framer
    const ahead = sizeOf(prefix)
    const whole = ahead > 0 ? Buffer.concat([...prefix, frames]) : frames
    let start = 0
    for (const each of ends) {
      const end = ahead + each
      const verdict = this.#read(whole.subarray(start, end), this.#framed + end, now)
      if (verdict) return verdict
      start = end
    }
    this.#framed += whole.length
    return undefined
  }

  /** @param end where the frame ends in the body */
  #read(frame: Buffer, end: number, now: number): Verdict | undefined {
    const { format } = this.#exchange
    const parsed = parseFrame(frame, this.#framing, true)
    if (!parsed) {
      if (!this.#answer.hasMessages) this.#stray.push(frame)
      return undefined
    }
    const answer = this.#answer
    const { message, data } = parsed
    const read = interpret(message, data, format, this.#isState)
    advanceBy(read, format, answer, now)
    answer.add(read.reading, now)
    if (answer.error !== undefined) {
      return { kind: 'error-event', status: statusOfError(data, message.event), message: answer.error, end }
    }
    const isNoAnswer = saidInstead(answer, this.#framer) !== undefined
    if (format.isTerminator(frame) && !isNoAnswer) return END
    if (answer.contentAt !== undefined || (!isNoAnswer && this.#isUnknownContent(read))) return CONTENT
    this.#events++
    return this.#isLate || this.#events >= this.#maxEvents ? BOUND : undefined
  }

  /** A message in another protocol than the expected one: nothing shows what it is, so it may be content. */
  #isUnknownContent({ message, data }: ReadFrame): boolean {
    if (this.#answer.isRecognised) return false
    const type = (data as { type?: unknown } | undefined)?.type
    const isPing = PING.test(message.event ?? '') || (typeof type === 'string' && PING.test(type))
    return !isPing && !isBlank(data) && (data !== undefined || message.data.trim() !== '')
  }
}
