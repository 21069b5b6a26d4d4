import type { IncomingMessage } from 'node:http'
import type { JsonReading } from '../exchange/metering.js'
import { PatientTimer } from '../exchange/patient-timer.js'
import { processClock, type TimerClock } from '../exchange/timer-clock.js'
import { PendingBytes } from '../framing/pending-bytes.js'
import { type Decoder, decoderFor } from './decode.js'
import {
  BOUND,
  type InspectedExchange,
  RESET,
  type ReadyReason,
  TRUNCATED,
  UNREADABLE,
  type Verdict,
} from './inspection.js'
import type { PreambleBounds, PreambleEvents } from './preamble-callbacks.js'
import { PreambleInspector } from './preamble-inspector.js'
import { mayHaveBody } from './response-plan.js'
import { brokenResponse, storedResponse } from './stored-response.js'

/**
 * Holds the beginning of an answer until it has content, so that an attempt that fails before can be abandoned without
 * the client seeing a byte of it.
 *
 * Bytes are captured at the `push` of Node's parser, before the stream has them, and pushed again once the answer is
 * ready: a small answer, which arrives whole, then costs hardly more than without. If there are bytes in the stream
 * already, they are read from it and put back with `unshift`, which a stream accepts until it emits `end`. If it has
 * ended, or breaks off, a response in memory takes its place.
 */
export class PreambleReader {
  readonly #response: IncomingMessage
  readonly #exchange: InspectedExchange
  readonly #bounds: PreambleBounds
  readonly #events: PreambleEvents
  readonly #timers: TimerClock
  readonly #inspector: PreambleInspector
  /** What has been read, as it arrived. */
  readonly #held = new PendingBytes()
  /** The same decoded, if it is compressed. */
  readonly #decoded = new PendingBytes()
  #decoder: Decoder | undefined
  #timer: PatientTimer | undefined
  /** The parser's `push`, while it is captured. */
  #push: IncomingMessage['push'] | undefined
  /** What the last push of a captured chunk returned when it was pushed again. */
  #wantsMore = true
  #isEnded = false
  #isBroken = false
  #isOver = false

  /**
   * @param response whose head has just arrived, and of which nothing has been read
   * @param exchange is only read
   */
  constructor(
    response: IncomingMessage,
    exchange: InspectedExchange,
    bounds: PreambleBounds,
    events: PreambleEvents,
    timers: TimerClock = processClock,
  ) {
    this.#response = response
    this.#exchange = exchange
    this.#bounds = bounds
    this.#events = events
    this.#timers = timers
    this.#inspector = new PreambleInspector(response, exchange, bounds.events)
    // Stays when the others are removed: an error without a listener would end the process.
    response.on('error', () => {})
    if (this.#inspector.isUnreadable) {
      process.nextTick(() => this.#settle(UNREADABLE))
      return
    }
    // Most small answers, and the content of many streams, arrive with the head: they need no timer.
    process.nextTick(this.#startWaiting)
    const hasBody = mayHaveBody(exchange.client.method, response.statusCode ?? 502)
    this.#decoder = decoderFor(response, hasBody)?.()
    this.#decoder?.on('readable', this.#onDecoded).on('end', this.#onDecodedEnd).on('error', this.#onDecoderError)
    // It may have broken off before, and does not say so again.
    if (response.destroyed) {
      process.nextTick(this.#onClose)
      return
    }
    response.on('close', this.#onClose)
    if (response.readableLength > 0 || response.readableEnded || response.complete) {
      response.on('readable', this.#onReadable).on('end', this.#onEnd)
    } else {
      this.#push = response.push
      response.push = this.#capture
    }
  }

  /** Stops for good: nothing more is read or called. What has been read is lost. */
  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#timer?.clear()
    this.#response.off('close', this.#onClose)
    if (this.#push) this.#response.push = this.#push
    else this.#response.off('readable', this.#onReadable).off('end', this.#onEnd)
    this.#decoder?.destroy()
  }

  readonly #startWaiting = (): void => {
    if (this.#isOver) return
    this.#timer = new PatientTimer(this.#timers, this.#bounds.ms, this.#onTime)
    this.#events.onWaiting?.()
  }

  /** Takes the place of the response's `push`. */
  readonly #capture = (pushed: Buffer | string | null, encoding?: BufferEncoding): boolean => {
    if (pushed === null) this.#onEnd()
    else this.#take(typeof pushed === 'string' ? Buffer.from(pushed, encoding) : pushed)
    return this.#wantsMore
  }

  readonly #onReadable = (): void => {
    while (!this.#isOver) {
      const chunk: Buffer | string | null = this.#response.read()
      if (chunk === null) return
      this.#take(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
    }
  }

  #take(chunk: Buffer): void {
    this.#held.append(chunk)
    this.#events.onBytes?.()
    if (this.#decoder) this.#decoder.write(chunk)
    else this.#inspect(chunk)
    if (this.#held.bytes >= this.#bounds.bytes) this.#settle(BOUND)
  }

  #inspect(bytes: Buffer): void {
    this.#judge((now) => this.#inspector.push(bytes, now))
  }

  /** If a format or a framing of the app throws, the answer is forwarded, which reports that in the usual way. */
  #judge(inspect: (now: number) => Verdict | undefined): void {
    if (this.#isOver) return
    let verdict: Verdict | undefined
    try {
      verdict = inspect(this.#timers.now())
    } catch {
      verdict = UNREADABLE
    }
    if (verdict) this.#settle(verdict)
  }

  readonly #onEnd = (): void => {
    this.#isEnded = true
    if (this.#decoder) this.#decoder.end()
    else this.#judge((now) => this.#inspector.end(now))
  }

  /** The connection broke. What had arrived before is still there, and may have the end of the answer. */
  readonly #onClose = (): void => {
    if (this.#isEnded || this.#isOver) return
    this.#isBroken = true
    this.#onReadable()
    const decoder = this.#decoder
    if (this.#isOver || !decoder) return this.#settle(RESET)
    decoder.flush(() => {
      this.#onDecoded()
      this.#settle(RESET)
    })
  }

  readonly #onDecoded = (): void => {
    while (!this.#isOver) {
      const chunk: Buffer | null = this.#decoder!.read()
      if (chunk === null) return
      this.#decoded.append(chunk)
      this.#inspect(chunk)
      // A few bytes may decode to any number.
      if (this.#decoded.bytes >= this.#bounds.bytes) this.#settle(BOUND)
    }
  }

  readonly #onDecodedEnd = (): void => this.#judge((now) => this.#inspector.end(now))

  readonly #onDecoderError = (error: NodeJS.ErrnoException): void => {
    if (this.#isBroken) return this.#settle(RESET)
    if (this.#isEnded && error.code === 'Z_BUF_ERROR') return this.#settle(TRUNCATED)
    // Nobody can read it, whether its bytes are damaged or its label is wrong.
    this.#settle(this.#inspector.isOpaque ? UNREADABLE : RESET)
  }

  readonly #onTime = (): void => {
    if (this.#bounds.holdsUntilContent) {
      if (!this.#inspector.isJson) this.#events.onSilence()
      return
    }
    if (this.#inspector.hasBegun || this.#isWaitingForDecoder) return this.#settle(BOUND)
    this.#inspector.hurry()
    this.#events.onSilence()
  }

  /** Whether bytes have arrived, but none have been decoded. */
  get #isWaitingForDecoder(): boolean {
    return this.#decoder !== undefined && this.#held.bytes > 0 && this.#decoded.bytes === 0
  }

  #settle(verdict: Verdict): void {
    if (this.#isOver) return
    this.stop()
    if ('because' in verdict) return this.#release(verdict.because, verdict.read)
    const { kind, status, message, end } = verdict
    const said = kind === 'error-event' ? this.#saidUntil(end) : undefined
    this.#events.onFailure({ kind, status, message: this.#exchange.secrets.mask(message), said })
  }

  #release(because: ReadyReason, read: JsonReading | undefined): void {
    const response = this.#response
    if (!this.#push || response.destroyed) return this.#events.onReady(this.#asUnread(), because, read)
    this.#events.onReady(response, because, read)
    for (const chunk of this.#held.pieces) this.#wantsMore = response.push(chunk)
    if (this.#isEnded) response.push(null)
  }

  /** Puts back what has been read. */
  #asUnread(): IncomingMessage {
    const response = this.#response
    if (!this.#isEnded && !response.destroyed) {
      if (this.#held.bytes > 0) response.unshift(this.#held.joined)
      return response
    }
    if (this.#isEnded) return storedResponse(response, this.#held.joined)
    for (let chunk = response.read(); chunk !== null; chunk = response.read()) this.#held.append(Buffer.from(chunk))
    return brokenResponse(response, this.#held.joined)
  }

  /** @param end of the error in the decoded body; `undefined` if it is the whole body */
  #saidUntil(end: number | undefined): IncomingMessage {
    const response = this.#response
    if (!this.#decoder || end === undefined) return storedResponse(response, this.#held.joined.subarray(0, end))
    // The compressed bytes cannot be cut there.
    return storedResponse(response, this.#decoded.joined.subarray(0, end), ['content-encoding'])
  }
}
