import { append } from '../util/append.js'
import { retain } from '../util/chunk-memory.js'

/** The last frames of a stream say why it ended. */
const MAX_FRAMES = 4

/** Maximum size of the frames kept, except for the last one, which is kept whatever its size. */
const MAX_BYTES = 256 * 1024

const LF = 10
const CR = 13
const COLON = 58

/** Keeps the last frames of a stream that have content. */
export class LastFrames {
  #frames: Buffer[] = []
  #bytes = 0

  /** @param first index of the first frame to keep */
  keep(drain: Buffer, ends: readonly number[], first = 0): void {
    if (ends.length === 1 && first === 0) {
      if (isEmptyFrame(drain, 0, drain.length)) return
      retain(drain)
      return this.#push(drain)
    }
    let from = ends.length
    for (let found = 0; from > first && found < MAX_FRAMES; from--) {
      if (!isEmptyFrame(drain, ends[from - 2] ?? 0, ends[from - 1]!)) found++
    }
    for (let at = from; at < ends.length; at++) {
      const start = ends[at - 1] ?? 0
      const end = ends[at]!
      // A copy does not keep alive the much larger buffer around the frame.
      if (!isEmptyFrame(drain, start, end)) this.#push(Buffer.from(drain.subarray(start, end)))
    }
  }

  /** Returns the frames, and forgets them. */
  frames(): Buffer[] {
    this.#bytes = 0
    return this.#frames.splice(0)
  }

  #push(frame: Buffer): void {
    this.#frames = append(this.#frames, frame)
    this.#bytes += frame.length
    while (this.#frames.length > MAX_FRAMES || (this.#bytes > MAX_BYTES && this.#frames.length > 1)) {
      this.#bytes -= this.#frames.shift()!.length
    }
  }
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
