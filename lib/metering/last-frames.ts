import { append } from '../util/append.js'
import { retain } from '../util/chunk-memory.js'

/** The last frames of a stream say why it ended. */
const MAX_FRAMES = 4

/** Maximum size of the frames kept, except for the last one, which is kept whatever its size. */
const MAX_BYTES = 256 * 1024

const LF = 10
const CR = 13
const COLON = 58

/**
 * Keeps the last frames of a stream that have content, and the last one whose text was counted without reading it: what
 * ends the text may be next to the last of it, and any number of frames may follow.
 */
export class LastFrames {
  #frames: Buffer[] = []
  #bytes = 0
  #unread: Buffer | undefined

  /**
   * @param first index of the first frame to keep
   * @param unread index of the last frame with text that was not read; -1 if there is none
   */
  keep(drain: Buffer, ends: readonly number[], first = 0, unread = -1): void {
    if (ends.length === 1 && first === 0) {
      if (isEmptyFrame(drain, 0, drain.length)) return
      retain(drain)
      if (unread === 0) this.#unread = drain
      return this.#push(drain)
    }
    let from = ends.length
    for (let found = 0; from > first && found < MAX_FRAMES; from--) {
      if (!isEmptyFrame(drain, ends[from - 2] ?? 0, ends[from - 1]!)) found++
    }
    if (unread >= first && unread < from) this.#unread = copyOf(drain, ends, unread)
    for (let at = from; at < ends.length; at++) {
      if (isEmptyFrame(drain, ends[at - 1] ?? 0, ends[at]!)) continue
      const frame = copyOf(drain, ends, at)
      if (at === unread) this.#unread = frame
      this.#push(frame)
    }
  }

  /** Returns the frames in order, and forgets them. */
  frames(): Buffer[] {
    const frames = this.#frames.splice(0)
    if (this.#unread && !frames.includes(this.#unread)) frames.unshift(this.#unread)
    this.#unread = undefined
    this.#bytes = 0
    return frames
  }

  #push(frame: Buffer): void {
    this.#frames = append(this.#frames, frame)
    this.#bytes += frame.length
    while (this.#frames.length > MAX_FRAMES || (this.#bytes > MAX_BYTES && this.#frames.length > 1)) {
      this.#bytes -= this.#frames.shift()!.length
    }
  }
}

/** Returns a copy of a frame, which does not keep alive the much larger buffer around it. */
function copyOf(drain: Buffer, ends: readonly number[], at: number): Buffer {
  return Buffer.from(drain.subarray(ends[at - 1] ?? 0, ends[at]))
}

/** Returns whether a frame consists of SSE comments and blank lines only. */
function isEmptyFrame(frames: Buffer, start: number, end: number): boolean {
  let at = start
  while (at < end) {
    const first = frames[at]
    if (first === COLON) {
      const lineEnd = endOfLine(frames, at, end)
      if (lineEnd === end) return false
      at = lineEnd
    } else if (first !== LF && first !== CR) return false
    at++
  }
  return true
}

function endOfLine(frames: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && frames[at] !== LF && frames[at] !== CR) at++
  return at
}
