import { AiProxyError, toFailure } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { PassThroughFramer, sizeOf } from '../framing/index.js'
import type { Runnable } from '../scheduling/turns.js'
import type { Carriage, DecideCarriage, ResponseSource } from './carriage.js'
import type { ResponseContext } from './context.js'
import type { Downstream } from './downstream.js'
import { acceptsRest, failureAtEnd, failureOfCut } from './ending.js'
import { FrameWriter } from './frame-writer.js'
import { type AnswerCallbacks, ResponseLimits } from './response-limits.js'
import { SourceReader } from './source-reader.js'
import { FIRST_TURN_BYTES, nextTurnBytes, readAheadMs } from './turn-bytes.js'

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
  readonly limits: ResponseLimits

  readonly #exchange: Exchange
  readonly #context: ResponseContext
  readonly #source: ResponseSource
  readonly #downstream: Downstream
  readonly #callbacks: AnswerCallbacks
  readonly #reader: SourceReader
  readonly #writer: FrameWriter
  /** `undefined` until the first bytes show what the body is. */
  #carriage: Carriage | undefined
  /** The first bytes, until then. */
  #start: Buffer[] = []
  #bytesLeft: number
  /** Maximum number of bytes for the next turn. */
  #turnBytes = FIRST_TURN_BYTES
  /** Number of bytes, and of chunks, that the last turn read. */
  #taken = 0
  #chunks = 0
  #isQueued = false
  #isStopped = false
  /** The client has to read first. */
  #isPaused = false
  /** A policy has to answer first. */
  #isHeld = false
  /** It has answered: what has gone out may be all that was left. */
  #isReleased = false
  /** The source has ended, but not all of it has been forwarded. */
  #isEnding = false
  #aborted: Error | undefined

  constructor(
    exchange: Exchange,
    context: ResponseContext,
    source: ResponseSource,
    downstream: Downstream,
    callbacks: AnswerCallbacks,
  ) {
    this.#exchange = exchange
    this.tenant = exchange.tenant
    this.#context = context
    this.#source = source
    this.#downstream = downstream
    this.#callbacks = callbacks
    this.#bytesLeft = exchange.limits.maxResponseBytes
    this.limits = new ResponseLimits(exchange, callbacks, () => this.hasMore)
    this.#writer = new FrameWriter(downstream, this.limits, () => this.#isStopped)
    if (typeof source.carriage === 'object') this.#setCarriage(source.carriage)
    source.body.on('end', this.#onEnd).on('error', this.#onAborted).on('close', this.#onAborted)
    this.#reader = new SourceReader(source.body, this.wake)
    // The source may have broken off while a hook of the app was awaited.
    if (source.body.destroyed && !source.body.readableEnded) this.#onAborted(source.body.errored ?? undefined)
    // If the first bytes have arrived by then, they are sent together with the head.
    if (downstream.isHeadHeld) this.wake()
  }

  /** Asks for a turn because there may be work, unless the client has to read first, or a policy to answer. */
  readonly wake = (): void => {
    const { mustWait, isWithinFrame } = this.#downstream
    const mayGoOn = isWithinFrame || !(this.#isPaused || this.#isHeld)
    if (this.#isQueued || this.#isStopped || mustWait || !mayGoOn) return
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
    this.extraCostMs = this.#reader.hasResumed ? readAheadMs(this.#chunks) : 0
    this.#turnBytes = nextTurnBytes(this.#turnBytes, this.#taken, ms)
    this.#exchange.countTurn(ms)
    this.#context.observers.onTurn?.(ms)
  }

  /** The client has to read first. */
  pause(): void {
    this.#isPaused = true
    this.#exchange.enter('stalled')
    if (!this.#isHeld) this.limits.pause()
  }

  /** The client reads again; or it has left, and the rest is read without it. */
  resume(phase: 'streaming' | 'draining'): void {
    if (!this.#isPaused || this.#isStopped) return
    this.#isPaused = false
    this.#exchange.enter(phase)
    if (!this.#isHeld) this.limits.resume()
    this.wake()
  }

  /** A policy waits for something, without which it cannot say whether the answer may go on. */
  #hold(): void {
    if (this.#isHeld || this.#isStopped || !this.limits.isHeld) return
    this.#isHeld = true
    if (!this.#isPaused) this.limits.pause()
    this.limits.onRelease(() => {
      this.#isHeld = false
      if (this.#isStopped) return
      this.#isReleased = true
      if (!this.#isPaused) this.limits.resume()
      this.wake()
    })
  }

  /** Stops for good: nothing more is read, written or reported. */
  stop(): void {
    this.#isStopped = true
    this.#reader.close()
    this.#source.body.off('end', this.#onEnd).off('close', this.#onAborted)
    this.#source.decoder?.destroy()
  }

  /** Whether bytes from the provider are waiting here. */
  get hasMore(): boolean {
    return !this.#isStopped && (this.#reader.length > 0 || this.#writer.hasRest || this.#downstream.isWithinFrame)
  }

  #work(now: number): void {
    if (this.#isStopped || this.#downstream.mustWait) return
    this.#taken = this.#chunks = 0
    if (this.#isReleased) this.#checkAgain()
    if (this.#isStopped) return
    const isWithinFrame = this.#downstream.isWithinFrame
    if (isWithinFrame) this.#downstream.writeMore(now)
    else if (this.#isHeld) return
    else if (this.#writer.hasRest) this.#writeRest(now)
    else this.#read(now)
    if (this.#isStopped) return
    this.#downstream.flushHead()
    // The end may have arrived while this turn was waiting, and is not reported again.
    if (this.hasMore || this.#isHeld || (isWithinFrame && !this.#isEnding && !this.#aborted)) this.wake()
    else if (this.#isEnding) this.#finish(now)
    else if (this.#aborted) this.#stopAndFail(this.#aborted)
  }

  #checkAgain(): void {
    this.#isReleased = false
    this.limits.checkBounds()
    this.#hold()
  }

  #read(now: number): void {
    const chunks = this.#reader.read(this.#turnBytes)
    this.#chunks = chunks.length
    if (chunks.length === 0) return
    const size = sizeOf(chunks)
    this.#taken = size
    this.limits.onBytes(size, now)
    const allowed = size <= this.#bytesLeft ? chunks : [Buffer.concat(chunks).subarray(0, this.#bytesLeft)]
    this.#bytesLeft -= size
    if (this.#carriage) this.#forward(this.#carriage, allowed, now)
    else this.#forwardFirstBytes(allowed, false, now)
    this.#checkSize()
  }

  /** What a policy has held back goes out before its answer ends because of what follows. */
  #checkSize(): void {
    if (this.#bytesLeft < 0 && !this.#isStopped && !this.#writer.hasRest) this.#failWithLimit('response_too_large')
  }

  #writeRest(now: number): void {
    const carriage = this.#carriage
    if (!carriage) return
    this.#writer.writeRest(carriage, now)
    this.#afterFrames(carriage)
    this.#checkSize()
  }

  /** Holds the first bytes until they show what the body is, then forwards them. */
  #forwardFirstBytes(chunks: readonly Buffer[], isAll: boolean, now: number): void {
    const start = Buffer.concat([...this.#start, ...chunks])
    const carriage = (this.#source.carriage as DecideCarriage)(start, isAll)
    this.#start = carriage ? [] : [start]
    if (!carriage) return
    this.#setCarriage(carriage)
    if (start.length > 0) this.#forward(carriage, [start], now)
  }

  #setCarriage(carriage: Carriage): void {
    this.#carriage = carriage
    this.limits.isStream = carriage.framing !== undefined && !carriage.isEnclosed
    this.#exchange.attachFramer(carriage.framer)
  }

  #forward(carriage: Carriage, chunks: readonly Buffer[], now: number): void {
    const frames = carriage.framer.push(chunks)
    if (frames && this.#bytesLeft >= 0 && this.#isLast(carriage)) this.#endWith(frames, carriage, now)
    else if (frames) this.#writer.write(frames, carriage, now)
    this.#afterFrames(carriage)
  }

  #afterFrames({ framer, metering }: Carriage): void {
    this.#hold()
    if (this.#isStopped || this.#writer.hasRest) return
    if (framer.unfinished?.length) metering?.scanUnfinished?.(framer.unfinished)
    if (framer.corrupt) this.#stopAndFail(new Error(framer.corrupt))
    else if (framer.tooLarge) this.#failWithLimit('event_too_large')
  }

  /** Returns whether these are the last bytes of a body without frames: they are written together with the end. */
  #isLast({ framer }: Carriage): boolean {
    return (
      this.#reader.isComplete && this.#reader.length === 0 && framer instanceof PassThroughFramer && framer.holdsNothing
    )
  }

  #endWith(last: Buffer, carriage: Carriage, now: number): void {
    const { framer, metering } = carriage
    const seen = metering ? metering.pass(last, framer.ends, now, framer.prefix) : last
    this.#exchange.finishMetering()
    // An incomplete body must not look complete: its last bytes are not sent.
    if (this.#exchange.answer.isTruncated) this.#end(failureAtEnd(this.#exchange, carriage))
    else this.#downstream.end(seen)
  }

  readonly #onEnd = (): void => {
    this.#isEnding = true
    if (this.hasMore || this.#isHeld) return this.wake()
    try {
      this.#finish(performance.now())
    } catch (error) {
      this.#end(toFailure(error))
    }
  }

  /** Forwards what the framer still holds, and ends. */
  #finish(now: number): void {
    if (!this.#carriage) this.#forwardFirstBytes([], true, now)
    const carriage = this.#carriage
    if (!carriage || this.#isStopped) return
    const { framer } = carriage
    const rest = framer.end()
    const isCut = !framer.corrupt && rest && !acceptsRest(rest, this.#exchange, carriage)
    if (isCut) framer.discardLast()
    const why = isCut ? 'it ended in the middle of an event' : framer.corrupt
    if (why) return this.#end(failureOfCut(why, this.#exchange, carriage, this.#source.isCloseDelimited))
    if (rest) this.#writer.write(rest, carriage, performance.now())
    // It is the last: there is nothing that could wait.
    while (this.#writer.hasRest && !this.#isStopped) this.#writer.writeRest(carriage, performance.now())
    if (!this.#isStopped) this.#end(failureAtEnd(this.#exchange, carriage))
  }

  #end(failure: AiProxyError | undefined): void {
    this.stop()
    if (failure) this.#callbacks.fail(failure)
    else this.#callbacks.onComplete(this.#carriage?.held)
  }

  /** What arrived before the connection broke is still in the source, and is forwarded first. */
  readonly #onAborted = (error?: Error): void => {
    this.#aborted ??= error ?? new Error('the response was closed before its end')
    this.wake()
  }

  #stopAndFail(cause: Error): void {
    // If the provider had reported its end, or an error, only the connection broke, not the answer.
    const failure = new AiProxyError('upstream_reset', 'The provider broke off its answer', { cause })
    this.#end(this.limits.hasReportedEnd ? undefined : failure)
  }

  #failWithLimit(code: 'response_too_large' | 'event_too_large'): void {
    this.stop()
    this.limits.failWithLimit(code)
  }
}
