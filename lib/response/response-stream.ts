import type { AsyncResource } from 'node:async_hooks'
import { type AiProxyError, toFailure } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { jsonArray, PassThroughFramer } from '../framing/index.js'
import type { Runnable } from '../scheduling/turns.js'
import type { AnswerStart } from './answer-start.js'
import type { BodyPlan, ResponseSource } from './body-plan.js'
import { BodyStart } from './body-start.js'
import type { ResponseContext } from './context.js'
import type { Downstream } from './downstream.js'
import { brokenOff, failureAtEnd, failureOfCut, failureOfStart, pageInstead, restOf } from './ending.js'
import { FrameWriter } from './frame-writer.js'
import { PolicyHold } from './policy-hold.js'
import { type AnswerCallbacks, ResponseLimits } from './response-limits.js'
import { SourceEnd } from './source-end.js'
import { SourceReader } from './source-reader.js'
import { TurnSize } from './turn-bytes.js'

/**
 * The provider's answer on its way to the client. Each turn reads what is there, splits it into whole frames, writes
 * them immediately, and checks the limits. Unread bytes stay in the source and pause the provider's connection: between
 * turns, and while the client does not keep up.
 */
export class ResponseStream implements Runnable {
  extraCostMs = 0
  /** More had arrived than one turn could read. */
  isBursting = false
  readonly tenant: string | undefined
  readonly asyncContext: AsyncResource
  readonly limits: ResponseLimits
  readonly #exchange: Exchange
  readonly #context: ResponseContext
  readonly #source: ResponseSource
  readonly #downstream: Downstream
  readonly #callbacks: AnswerCallbacks
  readonly #reader: SourceReader
  readonly #writer: FrameWriter
  readonly #hold: PolicyHold
  /** `undefined` until the first bytes show what the body is. */
  #bodyPlan: BodyPlan | undefined
  #bodyStart: BodyStart | undefined
  #answerStart: AnswerStart | undefined
  readonly #size = new TurnSize()
  #isQueued = false
  isStopped = false
  /** The client has to read first. */
  isPaused = false
  /** It may have ended before all of it has been forwarded. */
  readonly #sourceEnd: SourceEnd

  constructor(
    exchange: Exchange,
    context: ResponseContext,
    source: ResponseSource,
    downstream: Downstream,
    callbacks: AnswerCallbacks,
  ) {
    this.#exchange = exchange
    this.tenant = exchange.tenant
    this.asyncContext = exchange.asyncContext
    this.#context = context
    this.#source = source
    this.#downstream = downstream
    this.#callbacks = callbacks
    this.limits = new ResponseLimits(exchange, callbacks, this)
    this.#writer = new FrameWriter(downstream, this.limits, this)
    this.#hold = new PolicyHold(this.limits, this)
    if (typeof source.bodyPlan === 'object') this.#setBodyPlan(source.bodyPlan)
    else this.#bodyStart = new BodyStart(source.bodyPlan)
    this.#sourceEnd = new SourceEnd(source.body, this.#onEnd, this.wake)
    this.#reader = new SourceReader(source.body, this.wake, () => downstream.expectEnd())
    this.#sourceEnd.checkNow()
    // If the first bytes have arrived by then, they are sent together with the head.
    if (downstream.isHeadHeld) this.wake()
  }

  /** Asks for a turn because there may be work, unless the client has to read first, or a policy to answer. */
  readonly wake = (): void => {
    const { mustWait, isWithinFrame } = this.#downstream
    const mayGoOn = isWithinFrame || !(this.isPaused || this.#hold.isOn)
    if (this.#isQueued || this.isStopped || mustWait || !mayGoOn) return
    this.#isQueued = true
    this.#context.turns.enqueue(this)
  }

  runTurn(now: number): void {
    this.#isQueued = false
    try {
      this.#work(now)
    } catch (error) {
      this.#end(toFailure(error))
    }
  }

  onTurnEnd(ms: number): void {
    this.isBursting = this.#reader.hasResumed || this.hasMore
    this.extraCostMs = this.#reader.hasResumed ? this.#size.readAheadMs : 0
    this.#size.adjust(ms)
    this.#exchange.traffic.countTurn(ms)
    this.#context.observers.onTurn?.(ms)
  }

  pause(): void {
    this.isPaused = true
    this.#exchange.enter('stalled')
    if (!this.#hold.isOn) this.limits.pause()
  }

  /** The client reads again; or it has left, and the rest is read without it. */
  resume(phase: 'streaming' | 'draining'): void {
    if (!this.isPaused || this.isStopped) return
    this.isPaused = false
    this.#exchange.enter(phase)
    if (!this.#hold.isOn) this.limits.resume()
    this.wake()
  }

  /** Stops for good: nothing more is read, written or reported. */
  stop(): void {
    this.isStopped = true
    this.#reader.close()
    this.#sourceEnd.close()
    this.#source.decoder?.destroy()
  }

  /** Whether bytes from the provider are waiting here. */
  get hasMore(): boolean {
    return !this.isStopped && (this.#reader.length > 0 || this.#writer.hasRest || this.#downstream.isWithinFrame)
  }

  #work(now: number): void {
    if (this.isStopped || this.#downstream.mustWait) return
    this.#size.reset()
    this.#hold.checkAgain()
    if (this.isStopped) return
    const { isWithinFrame } = this.#downstream
    const { hasRest } = this.#writer
    if (isWithinFrame) this.#downstream.writeMore(now)
    else if (this.#hold.isOn) return
    else if (hasRest && this.#bodyPlan) {
      this.#writer.writeRest(this.#bodyPlan, now)
      this.#afterFrames(this.#bodyPlan)
    } else this.#read(now)
    // What a policy has held back goes out before its answer ends because of what follows.
    if (this.limits.isTooLarge && !this.isStopped && !this.#writer.hasRest) this.#failTooLarge('response_too_large')
    if (this.isStopped) return
    // The end may have arrived while this turn was waiting, and is not reported again. One that nothing has read yet is not known.
    const { isReached, error } = this.#sourceEnd
    const goesOn = this.hasMore || this.#hold.isOn || ((isWithinFrame || hasRest) && !isReached && !error)
    if (isReached && !goesOn) return this.#finish(now)
    if (error && !goesOn) return this.#stopAndFail(error)
    this.#downstream.flushHead()
    if (goesOn) this.wake()
  }

  #read(now: number): void {
    const chunks = this.#reader.read(this.#size.maxBytes)
    const size = this.#size.take(chunks)
    if (size === 0) return
    const allowed = this.limits.take(chunks, size, now)
    if (this.#bodyPlan) this.#forward(this.#bodyPlan, allowed, now)
    else this.#forwardFirstBytes(allowed, false, now)
  }

  /** Holds the first bytes until they show what the body is, then forwards them. */
  #forwardFirstBytes(chunks: readonly Buffer[], isAll: boolean, now: number): void {
    const { bodyPlan, start } = this.#bodyStart?.add(chunks, isAll) ?? {}
    if (bodyPlan) this.#setBodyPlan(bodyPlan)
    if (bodyPlan && start?.length) this.#forward(bodyPlan, [start], now)
  }

  #setBodyPlan(bodyPlan: BodyPlan): void {
    this.#bodyPlan = bodyPlan
    this.limits.isStream = bodyPlan.framing !== undefined && !bodyPlan.isEnclosed
    this.limits.mustBeClosed = bodyPlan.framing === jsonArray
    this.#exchange.traffic.attachFramer(bodyPlan.framer)
    if (!this.limits.isStream) this.#answerStart = this.#source.answerStart
  }

  #forward(bodyPlan: BodyPlan, chunks: readonly Buffer[], now: number): void {
    if (this.#answerStart?.push(chunks)) return this.#end(pageInstead())
    const { framer } = bodyPlan
    const frames = framer.push(this.#answerStart?.release(chunks) ?? chunks)
    // Without frames, the last bytes are written together with the end.
    const isLast = this.#reader.isDrained && framer instanceof PassThroughFramer && framer.holdsNothing
    if (frames && isLast && !this.limits.isTooLarge) this.#endWith(frames, bodyPlan, now)
    else if (frames) this.#writer.write(frames, bodyPlan, now)
    this.#afterFrames(bodyPlan)
  }

  #afterFrames({ framer, metering }: BodyPlan): void {
    this.#hold.begin()
    if (this.isStopped || this.#writer.hasRest) return
    if (framer.unfinished?.length) metering?.scanUnfinished?.(framer.unfinished)
    if (framer.corrupt) this.#stopAndFail(new Error(framer.corrupt))
    else if (framer.tooLarge) this.#failTooLarge('event_too_large')
  }

  #endWith(last: Buffer, bodyPlan: BodyPlan, now: number): void {
    const { framer, metering } = bodyPlan
    const seen = metering ? metering.pass(last, framer.ends, now, framer.prefix) : last
    this.#exchange.finishMetering()
    const { isTruncated } = this.#exchange.answer
    const failure = isTruncated ? failureAtEnd(this.#exchange, bodyPlan) : failureOfStart(this.#answerStart)
    // An incomplete body must not look complete: its last bytes are not sent.
    if (failure) this.#end(failure)
    else this.#downstream.end(seen)
  }

  readonly #onEnd = (): void => {
    if (this.hasMore || this.#hold.isOn) return this.wake()
    try {
      this.#finish(performance.now())
    } catch (error) {
      this.#end(toFailure(error))
    }
  }

  /** Forwards what the framer still holds, and ends. */
  #finish(now: number): void {
    if (!this.#bodyPlan) this.#forwardFirstBytes([], true, now)
    const bodyPlan = this.#bodyPlan
    if (!bodyPlan || this.isStopped) return
    if (this.#answerStart?.isKnown === false) return this.#end(failureOfStart(this.#answerStart))
    const { rest, why } = restOf(this.#exchange, bodyPlan)
    if (why) return this.#end(failureOfCut(why, this.#exchange, bodyPlan, this.#source.isCloseDelimited))
    if (rest) this.#writer.write(rest, bodyPlan, performance.now())
    // It is the last: there is nothing that could wait.
    while (this.#writer.hasRest && !this.isStopped) this.#writer.writeRest(bodyPlan, performance.now())
    if (!this.isStopped) this.#end(failureAtEnd(this.#exchange, bodyPlan))
  }

  #end(failure: AiProxyError | undefined): void {
    this.stop()
    if (failure) this.#callbacks.fail(failure)
    else this.#callbacks.onComplete(this.#bodyPlan?.held)
  }

  #stopAndFail(cause: Error): void {
    this.stop()
    // If the answer was complete, or reported an error, only the connection broke.
    this.limits.failUnlessComplete(brokenOff(cause))
  }

  #failTooLarge(code: 'response_too_large' | 'event_too_large'): void {
    if (this.limits.completeIfReported()) return
    this.stop()
    this.limits.failWithLimit(code)
  }
}
