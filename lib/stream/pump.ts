import type { Readable } from 'node:stream'
import type { Framer } from '../framing/index.js'
import type { Downstream } from './downstream.js'
import type { TurnScheduler, TurnTaker } from './turns.js'

interface PumpEvents {
  /** Bytes have come from the provider in this turn. */
  onBytes(count: number): void
  /** This event went out last in this turn. */
  onLastEvent(event: Buffer): void
  /** Whether what the answer ended with, without a blank line, is an event, and not a part of one. */
  acceptsRest(rest: Buffer): boolean
  /** The provider's answer is over, and all of it is written. */
  onEnd(): void
  /** The provider broke off; all whole events that it had sent are written. */
  onBroken(error: Error): void
  onTooManyBytes(): void
  onTooLargeEvent(): void
  onTurn(ms: number): void
  /** Something threw in a turn: a fault of ours, or of a middleware that wraps the response. */
  onCrash(error: unknown): void
}

/** What one turn reads at the most, give or take the chunk that passes it. */
const TURN_BYTES = 64 * 1024

/**
 * Carries the provider's bytes to the client in turns: reads what is there, cuts it into whole frames, writes them at
 * once. What is not read stays in the stream and pauses the provider's connection: between turns, and while the client
 * does not keep up.
 */
export class Pump implements TurnTaker {
  readonly #source: Readable
  readonly #framer: Framer
  readonly #sink: Downstream
  readonly #turns: TurnScheduler
  readonly #events: PumpEvents
  #bytesLeft: number
  #isQueued = false
  #isStopped = false
  #broken: Error | undefined

  /** @param maxBytes how much passes, at the most */
  constructor(
    source: Readable,
    framer: Framer,
    sink: Downstream,
    turns: TurnScheduler,
    maxBytes: number,
    events: PumpEvents,
  ) {
    this.#source = source
    this.#framer = framer
    this.#sink = sink
    this.#turns = turns
    this.#bytesLeft = maxBytes
    this.#events = events
    source.on('readable', this.wake)
    source.on('end', this.#onEnd)
    source.on('error', this.#onBroken)
    source.on('close', this.#onBroken)
    if (source.readableLength > 0) this.wake()
  }

  /** There may be something to do: asks for a turn, unless the client has to read first. */
  readonly wake = (): void => {
    if (this.#isQueued || this.#isStopped || this.#sink.isBlocked) return
    this.#isQueued = true
    this.#turns.enqueue(this)
  }

  takeTurn(): void {
    this.#isQueued = false
    this.#guarded(() => this.#work())
  }

  turnTook(ms: number): void {
    this.#events.onTurn(ms)
  }

  /** Nothing is read, written or told any more. */
  stop(): void {
    this.#isStopped = true
    this.#source.off('readable', this.wake).off('end', this.#onEnd).off('close', this.#onBroken)
  }

  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#stopWith(() => this.#events.onCrash(error))
    }
  }

  #work(): void {
    if (this.#isStopped || this.#sink.isBlocked) return
    const chunk = this.#read()
    if (chunk) this.#pass(chunk)
    if (this.#isStopped) return
    if (this.#source.readableLength > 0) this.wake()
    else if (this.#broken) this.#stopWith(() => this.#events.onBroken(this.#broken!))
  }

  /** All that is there, up to a turn's bound. Up to Node 24 one `read()` gives everything, from 26 on one buffer. */
  #read(): Buffer | undefined {
    const first: Buffer | null = this.#source.read()
    if (first === null) return undefined
    let size = first.length
    if (this.#source.readableLength === 0 || size >= TURN_BYTES) return first
    const chunks = [first]
    while (this.#source.readableLength > 0 && size < TURN_BYTES) {
      const chunk: Buffer | null = this.#source.read()
      if (chunk === null) break
      chunks.push(chunk)
      size += chunk.length
    }
    return Buffer.concat(chunks, size)
  }

  #pass(chunk: Buffer): void {
    this.#events.onBytes(chunk.length)
    const allowed = chunk.length <= this.#bytesLeft ? chunk : chunk.subarray(0, this.#bytesLeft)
    this.#bytesLeft -= chunk.length
    const frames = this.#framer.push(allowed)
    if (frames && this.#bytesLeft >= 0 && this.#isWhole()) this.#sink.end(frames)
    else this.#write(frames)
    if (this.#framer.tooLarge) this.#stopWith(() => this.#events.onTooLargeEvent())
    else if (this.#bytesLeft < 0) this.#stopWith(() => this.#events.onTooManyBytes())
  }

  /** A body without frames of which nothing is to come: its last bytes and the end go out as one. */
  #isWhole(): boolean {
    const { complete, readableLength } = this.#source as Readable & { complete?: boolean }
    return complete === true && readableLength === 0 && !this.#framer.carriesMessages
  }

  #write(frames: Buffer | undefined): void {
    if (!frames) return
    this.#sink.write(frames)
    const last = this.#framer.last()
    if (last) this.#events.onLastEvent(last)
  }

  readonly #onEnd = (): void => {
    this.#guarded(() => {
      const rest = this.#framer.end()
      if (rest && !this.#events.acceptsRest(rest)) {
        this.#framer.refuse()
        return this.#onBroken(new Error('it ended in the middle of an event'))
      }
      this.#write(rest)
      if (!this.#isStopped) this.#stopWith(() => this.#events.onEnd())
    })
  }

  /** What came before the break is still in the stream: it is passed on first. */
  readonly #onBroken = (error?: Error): void => {
    this.#broken ??= error ?? new Error('the response was closed before its end')
    this.wake()
  }

  #stopWith(tell: () => void): void {
    this.stop()
    tell()
  }
}
