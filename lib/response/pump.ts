import type { Readable } from 'node:stream'
import type { Metering } from '../exchange/metering.js'
import { type Framer, PassThroughFramer, sizeOf } from '../framing/index.js'
import type { Runnable, TurnScheduler } from '../scheduling/turns.js'
import type { Downstream } from './downstream.js'
import { SourceReader } from './source-reader.js'

/** Told what comes from the provider, and how it ends. */
export interface PumpEvents {
  /** Bytes have come from the provider in this turn. */
  onBytes(count: number, now: number): void
  /** Frames have gone out; the last event of them, where there is one. */
  onPassed(last: Buffer | undefined): void
  /** Whether what the answer ended with, without a blank line, is an event, and not a part of one. */
  acceptsRest(rest: Buffer): boolean
  /** The provider's answer is over, and all of it is written. */
  onEnd(): void
  /**
   * The body ended well, in the middle of a frame, of which nothing goes out; all whole events before it are written.
   *
   * @param why a sentence
   */
  onCut(why: string): void
  /** Whether a body that is no stream, whose last bytes have come, ends before it is complete: they do not go out. */
  isCut(): boolean
  /** The provider broke off; all whole events that it had sent are written. */
  onAborted(error: Error): void
  onTooManyBytes(): void
  onTooLargeEvent(): void
  onTurn(ms: number): void
  /** Something threw in a turn: a fault of ours, or of a middleware that wraps the response. */
  onCrash(error: unknown): void
}

/** What one turn reads at the most, give or take the chunk that passes it. */
const TURN_BYTES = 64 * 1024

/** What the first turn reads, and what a turn reads that would take too long with more. */
const FIRST_TURN_BYTES = 16 * 1024
const LEAST_TURN_BYTES = 512

/** Behind a turn that takes longer, the next one reads less. */
const LONG_TURN_MS = 2

/** What Node takes to read from the connection again behind a turn, and to hand on each chunk that it parses out of it. */
const READ_MS = 0.05
const PARSE_MS_PER_CHUNK = 0.0015

/**
 * Carries the provider's bytes to the client in turns: reads what is there, cuts it into whole frames, writes them at
 * once. What is not read stays in the stream and pauses the provider's connection: between turns, and while the client
 * does not keep up.
 */
export class Pump implements Runnable {
  readonly #source: Readable
  readonly #intake: SourceReader
  readonly #framer: Framer
  readonly #metering: Metering | undefined
  readonly #sink: Downstream
  readonly #turns: TurnScheduler
  readonly #events: PumpEvents
  extraCostMs = 0
  /** More had come than waits for one turn. */
  isBursting = false
  /** How many the last turn took. */
  #chunks = 0
  #bytesLeft: number
  #isQueued = false
  #isStopped = false
  /** What the next turn reads at the most. */
  #turnBytes = FIRST_TURN_BYTES
  /** What the last one read. */
  #taken = 0
  /** The source has come to its end, but not all of it has been passed on. */
  #isEnding = false
  #broken: Error | undefined

  /** @param maxBytes how much passes, at the most */
  constructor(
    source: Readable,
    framer: Framer,
    metering: Metering | undefined,
    sink: Downstream,
    turns: TurnScheduler,
    maxBytes: number,
    events: PumpEvents,
  ) {
    this.#source = source
    this.#framer = framer
    this.#metering = metering
    this.#sink = sink
    this.#turns = turns
    this.#bytesLeft = maxBytes
    this.#events = events
    source.on('end', this.#onEnd)
    source.on('error', this.#onAborted)
    source.on('close', this.#onAborted)
    this.#intake = new SourceReader(source, this.wake)
    // If its first bytes are there by then, they go out together.
    if (sink.isHeadHeld) this.wake()
  }

  /** There may be something to do: asks for a turn, unless the client has to read first. */
  readonly wake = (): void => {
    if (this.#isQueued || this.#isStopped || this.#mustWait) return
    this.#isQueued = true
    this.#turns.enqueue(this)
  }

  /** Something of what the provider has sent waits here. */
  get hasMore(): boolean {
    return !this.#isStopped && (this.#intake.length > 0 || this.#sink.isWithinFrame)
  }

  /** The client has to read first. A frame that was begun is written to its end: its memory is taken in any case. */
  get #mustWait(): boolean {
    return this.#sink.isBlocked && !this.#sink.isWithinFrame
  }

  runTurn(now: number): void {
    this.#isQueued = false
    try {
      this.#work(now)
    } catch (error) {
      this.#crash(error)
    }
  }

  onTurnEnd(ms: number): void {
    this.isBursting = this.#intake.hasResumed || this.hasMore
    this.extraCostMs = this.#intake.hasResumed ? READ_MS + PARSE_MS_PER_CHUNK * this.#chunks : 0
    this.#turnBytes = bytesOfNextTurn(this.#turnBytes, this.#taken, ms)
    this.#events.onTurn(ms)
  }

  /** Nothing is read, written or told any more. */
  stop(): void {
    this.#isStopped = true
    this.#intake.close()
    this.#source.off('end', this.#onEnd).off('close', this.#onAborted)
  }

  #work(now: number): void {
    if (this.#isStopped || this.#mustWait) return
    this.#taken = this.#chunks = 0
    const isWithinFrame = this.#sink.isWithinFrame
    if (isWithinFrame) this.#sink.writeMore(now)
    else this.#read(now)
    if (this.#isStopped) return
    this.#sink.flushHead()
    if (this.hasMore) this.wake()
    else if (this.#isEnding) this.#finish()
    else if (this.#broken) this.#stopWith(() => this.#events.onAborted(this.#broken!))
    // What came meanwhile, the end above all, was told while this turn was waited for: nobody tells it again.
    else if (isWithinFrame) this.wake()
  }

  #read(now: number): void {
    const chunks = this.#intake.take(this.#turnBytes)
    this.#chunks = chunks.length
    if (chunks.length > 0) this.#pass(chunks, now)
  }

  #pass(chunks: readonly Buffer[], now: number): void {
    const size = sizeOf(chunks)
    this.#taken = size
    this.#events.onBytes(size, now)
    const allowed = size <= this.#bytesLeft ? chunks : [Buffer.concat(chunks).subarray(0, this.#bytesLeft)]
    this.#bytesLeft -= size
    const frames = this.#framer.push(allowed)
    if (frames && this.#bytesLeft >= 0 && this.#isWhole()) {
      const seen = this.#metered(frames, now)
      if (this.#events.isCut()) this.#stopWith(() => this.#events.onEnd())
      else this.#sink.end(seen)
    } else {
      this.#write(frames, now)
    }
    if (this.#isStopped) return
    if (this.#framer.unfinished?.length) this.#metering?.follow?.(this.#framer.unfinished)
    if (this.#framer.corrupt) this.#breakOff(this.#framer.corrupt)
    else if (this.#framer.tooLarge) this.#stopWith(() => this.#events.onTooLargeEvent())
    else if (this.#bytesLeft < 0) this.#stopWith(() => this.#events.onTooManyBytes())
  }

  /** A body without frames of which nothing is to come: its last bytes and the end go out as one. */
  #isWhole(): boolean {
    return (
      this.#intake.isComplete &&
      this.#intake.length === 0 &&
      this.#framer instanceof PassThroughFramer &&
      this.#framer.holdsNothing
    )
  }

  #write(frames: Buffer | undefined, now: number): void {
    if (!frames) return
    const seen = this.#metered(frames, now)
    const ahead = this.#metering ? this.#metering.prefix : this.#framer.prefix
    if (ahead?.length) this.#sink.writePieces(seen ? [...ahead, seen] : ahead, now)
    else if (seen) this.#sink.write(seen, now)
    this.#metering?.readPassed?.(now)
    if (this.#metering?.failure) throw this.#metering.failure.error
    this.#events.onPassed(this.#framer.last())
  }

  #metered(frames: Buffer, now: number): Buffer | undefined {
    return this.#metering ? this.#metering.pass(frames, this.#framer.ends, now, this.#framer.prefix) : frames
  }

  #breakOff(why: string): void {
    this.#stopWith(() => this.#events.onAborted(new Error(why)))
  }

  #cutOff(why: string): void {
    this.#stopWith(() => this.#events.onCut(why))
  }

  readonly #onEnd = (): void => {
    this.#isEnding = true
    if (this.hasMore) return this.wake()
    try {
      this.#finish()
    } catch (error) {
      this.#crash(error)
    }
  }

  #finish(): void {
    const rest = this.#framer.end()
    if (this.#framer.corrupt) return this.#cutOff(this.#framer.corrupt)
    if (rest && !this.#events.acceptsRest(rest)) {
      this.#framer.discardLast()
      return this.#cutOff('it ended in the middle of an event')
    }
    this.#write(rest, performance.now())
    if (!this.#isStopped) this.#stopWith(() => this.#events.onEnd())
  }

  #crash(error: unknown): void {
    this.#stopWith(() => this.#events.onCrash(error))
  }

  /** What came before the break is still in the stream: it is passed on first. */
  readonly #onAborted = (error?: Error): void => {
    this.#broken ??= error ?? new Error('the response was closed before its end')
    this.wake()
  }

  #stopWith(tell: () => void): void {
    this.stop()
    tell()
  }
}

/** Turns are bounded in time as well: by what the last one took. */
function bytesOfNextTurn(most: number, taken: number, ms: number): number {
  if (ms > LONG_TURN_MS && taken > 0) {
    // To no less than an eighth at a time: what was long may have been the garbage collection.
    const bytes = Math.max((taken * LONG_TURN_MS) / 2 / ms, most / 8)
    return Math.max(LEAST_TURN_BYTES, Math.floor(bytes))
  }
  return taken >= most ? Math.min(2 * most, TURN_BYTES) : most
}
