import { append } from '../util/append.js'
import type { Framer } from './framer.js'
import { PendingBytes } from './pending-bytes.js'

/**
 * Larger frames are not joined. Creating one buffer of megabytes takes longer than any other turn, mostly waiting for
 * the system to provide the memory.
 */
const MAX_JOINED_BYTES = 256 * 1024

/** A frame that may become this large is exposed while it arrives: scanning it all at its end would take too long. */
const MIN_EXPOSED_BYTES = 64 * 1024

/**
 * Base of the framers that split a body between its frames. Complete frames go out as they came, and the beginning of
 * the next one stays pending. Every byte is scanned once, however the stream is cut, and the pieces of a frame are
 * joined at most once, after its end has come. Both keep the cost of a large frame in tiny chunks linear.
 */
export abstract class BaseFramer implements Framer {
  abstract readonly carriesMessages: boolean
  abstract readonly heartbeat: Buffer | undefined
  events = 0
  tooLarge = false
  corrupt: string | undefined
  ends: number[] = []
  prefix: readonly Buffer[] = NONE

  /** Bytes that precede the chunk being scanned. */
  protected readonly pending = new PendingBytes()
  protected readonly maxEventBytes: number
  #out: Buffer | undefined
  /** Start of the frame being scanned. */
  #frameStart = 0
  /** Start and end of the last event within `#out`; both are 0 if there is none. */
  #lastStart = 0
  #lastEnd = 0
  /** Number of bytes in `prefix`. */
  #aheadBytes = 0

  /** @param maxEventBytes the longest frame that may pass, in bytes */
  constructor(maxEventBytes: number) {
    this.maxEventBytes = maxEventBytes
  }

  push(chunks: readonly Buffer[]): Buffer | undefined {
    this.#reset()
    if (this.#isOver()) return undefined
    const heldBefore = this.pending.bytes
    const chunk = this.join(chunks)
    // Pending bytes that were joined have been scanned already; the others are still pending.
    const from = heldBefore - this.pending.bytes
    if (chunk.length === from) return undefined
    this.scan(chunk, from)
    const cut = this.lastFrameEnd(this.pending.bytes) - this.pending.bytes
    if (this.ends.length > 0) this.#emit(cut === chunk.length ? chunk : chunk.subarray(0, cut))
    if (cut < chunk.length && !this.#isOver()) {
      this.pending.append(cut === 0 ? chunk : chunk.subarray(cut))
      if (this.pending.bytes > this.maxEventBytes) this.tooLarge = true
    }
    return this.#out
  }

  get copiedBytes(): number {
    return this.pending.bytes
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

  /** Joins chunks, and the pending bytes with them if that is worth a copy. */
  protected join(chunks: readonly Buffer[]): Buffer {
    return this.pending.joinWith(chunks)
  }

  /**
   * Finds the ends of frames, and calls `endFrame` for each.
   *
   * @param from where to start: everything before it has been scanned
   */
  protected abstract scan(chunk: Buffer, from: number): void

  /** Ends the body: emits the rest with `emitRest`, or explains in `corrupt` why it must not go out. */
  protected abstract finish(): void

  /**
   * Ends a frame at `at` in the chunk being scanned. @returns `false` if the frame is too large, which ends the scan
   */
  protected endFrame(at: number, isEvent: boolean): boolean {
    const start = this.#frameStart
    const end = this.pending.bytes + at
    if (end - start > this.maxEventBytes) {
      this.tooLarge = true
      return false
    }
    this.ends = append(this.ends, end)
    this.#frameStart = end
    if (isEvent) {
      this.events++
      this.#lastStart = start
      this.#lastEnd = end
    }
    return true
  }

  /**
   * Returns whether nothing lies between the last frame, or the beginning, and this index in the chunk being scanned.
   */
  protected isBetweenFrames(at: number): boolean {
    return this.pending.bytes + at === this.lastFrameEnd(0)
  }

  /** Extends the last frame to `at`. If that frame has already gone out, the bytes become a frame of their own. */
  protected extendFrame(at: number): void {
    const last = Math.max(this.ends.length - 1, 0)
    const end = this.pending.bytes + at
    if (this.ends[last] === this.#lastEnd) this.#lastEnd = end
    this.ends[last] = end
    this.#frameStart = end
  }

  /** Emits the pending bytes, followed by `closing`, at the end of the body. */
  protected emitRest(closing: string, isEvent: boolean): void {
    const length = this.pending.bytes + closing.length
    this.ends.push(length)
    if (isEvent) {
      this.events++
      this.#lastStart = this.#frameStart
      this.#lastEnd = length
    }
    this.#emit(Buffer.from(closing))
  }

  /** Emits the pending bytes, followed by the end of their frame and the frames after it. */
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

  /** Where the last frame of this chunk ends, counted from the beginning of the pending bytes. */
  protected lastFrameEnd(otherwise: number): number {
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
