import type { Framer } from './framer.js'
import { PendingBytes } from './pending-bytes.js'

/**
 * Larger frames are not joined: to make one buffer of megabytes takes longer than anybody else's turn, most of it until
 * the system has given the memory.
 */
const MAX_JOINED_BYTES = 256 * 1024

/** A frame that may become so large is looked through while it comes: in one go at its end that would take too long. */
const MIN_EXPOSED_BYTES = 64 * 1024

/**
 * What the framers share that cut a body between its frames: whole frames go out as they came, the beginning of the
 * next one is held. Every byte is scanned once, however the stream is cut, and pieces of an unfinished frame are joined
 * once, when its end has come, if at all: both keep a large frame in tiny chunks linear.
 */
export abstract class BaseFramer implements Framer {
  abstract readonly carriesMessages: boolean
  abstract readonly heartbeat: Buffer | undefined
  events = 0
  tooLarge = false
  corrupt: string | undefined
  ends: number[] = []
  prefix: readonly Buffer[] = NONE

  /** What is held stands in front of what is scanned. */
  protected readonly pending = new PendingBytes()
  protected readonly maxEventBytes: number
  #out: Buffer | undefined
  /** Where the frame begins that is looked for the end of. */
  #frameStart = 0
  /** Where the last event begins and ends within `#out`; no event where both are 0. */
  #lastStart = 0
  #lastEnd = 0
  /** How much stands ahead of `#out`. */
  #aheadBytes = 0

  /** @param maxEventBytes the longest frame that passes, in bytes */
  constructor(maxEventBytes: number) {
    this.maxEventBytes = maxEventBytes
  }

  push(chunks: readonly Buffer[]): Buffer | undefined {
    this.#reset()
    if (this.#isOver()) return undefined
    const heldBefore = this.pending.bytes
    const chunk = this.join(chunks)
    // What was held stands in front now, and has been scanned, or is still held.
    const from = heldBefore - this.pending.bytes
    if (chunk.length === from) return undefined
    this.scan(chunk, from)
    const cut = this.#lastFrameEnd(this.pending.bytes) - this.pending.bytes
    if (this.ends.length > 0) this.#emit(cut === chunk.length ? chunk : chunk.subarray(0, cut))
    if (cut < chunk.length && !this.#isOver()) {
      this.pending.append(cut === 0 ? chunk : chunk.subarray(cut))
      if (this.pending.bytes > this.maxEventBytes) this.tooLarge = true
    }
    return this.#out
  }

  get unfinished(): readonly Buffer[] {
    return this.pending.bytes > MIN_EXPOSED_BYTES ? this.pending.pieces : NONE
  }

  last(): Buffer | undefined {
    const start = this.#lastStart - this.#aheadBytes
    const end = this.#lastEnd - this.#aheadBytes
    if (this.#lastEnd === 0 || start < 0) return undefined
    const isAll = start === 0 && end === this.#out?.length
    return isAll ? this.#out : this.#out?.subarray(start, end)
  }

  end(): Buffer | undefined {
    this.#reset()
    if (!this.#isOver()) this.finish()
    return this.#out
  }

  discardLast(): void {
    if (this.#lastEnd > 0) this.events--
    this.#reset()
  }

  /** Joins chunks that have come, and what is held with them, as far as that is worth it. */
  protected join(chunks: readonly Buffer[]): Buffer {
    return this.pending.joinWith(chunks)
  }

  /**
   * Looks for ends of frames, and tells `endFrame` of each.
   *
   * @param from where it begins to look: what stands before has been looked at
   */
  protected abstract scan(chunk: Buffer, from: number): void

  /** The body ended: passes what is left with `passRest`, or says in `corrupt` why that cannot go out. */
  protected abstract finish(): void

  /** In the chunk that is scanned, a frame ends at `at`. @returns `false` when it is too large: the scan is over then */
  protected endFrame(at: number, isEvent: boolean): boolean {
    const start = this.#frameStart
    const end = this.pending.bytes + at
    if (end - start > this.maxEventBytes) {
      this.tooLarge = true
      return false
    }
    this.ends.push(end)
    this.#frameStart = end
    if (isEvent) {
      this.events++
      this.#lastStart = start
      this.#lastEnd = end
    }
    return true
  }

  /** Nothing stands between the last frame, or the beginning, and this place in the chunk that is scanned. */
  protected isBetweenFrames(at: number): boolean {
    return this.pending.bytes + at === this.#lastFrameEnd(0)
  }

  /** What stands behind the last frame, up to `at`, is part of that frame; a frame of its own where that has gone out. */
  protected extendFrame(at: number): void {
    const last = Math.max(this.ends.length - 1, 0)
    const end = this.pending.bytes + at
    if (this.ends[last] === this.#lastEnd) this.#lastEnd = end
    this.ends[last] = end
    this.#frameStart = end
  }

  /** At the end of the body: what is held goes out, with `closing` behind it. */
  protected emitRest(closing: string, isEvent: boolean): void {
    const length = this.pending.bytes + closing.length
    this.ends.push(length)
    if (isEvent) {
      this.events++
      this.#lastEnd = length
    }
    this.#emit(Buffer.from(closing))
  }

  /** What is held goes out, with the end of its frame behind it, and the frames that follow. */
  #emit(rest: Buffer): void {
    const { bytes } = this.pending
    if (bytes <= MAX_JOINED_BYTES) {
      this.#out = this.pending.concatWith(rest)
      return
    }
    this.prefix = this.pending.drain()
    this.#out = rest
    this.ends = this.ends.map((end) => end - bytes)
    this.#aheadBytes = bytes
  }

  #lastFrameEnd(otherwise: number): number {
    return this.ends[this.ends.length - 1] ?? otherwise
  }

  #reset(): void {
    this.#lastStart = this.#lastEnd = this.#frameStart = 0
    this.ends = []
    this.prefix = NONE
    this.#aheadBytes = 0
    this.#out = undefined
  }

  #isOver(): boolean {
    return this.tooLarge || this.corrupt !== undefined
  }
}

const NONE: readonly Buffer[] = []
