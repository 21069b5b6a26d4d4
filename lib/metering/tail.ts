/** A stream says in its last frames why it ended. */
const KEPT_FRAMES = 4

const LF = 10
const COLON = 58

/** The last frames of a stream that may say something; comments of server-sent events and blank lines do not count. */
export class Tail {
  #frames: Buffer[] = []

  keep(frames: Buffer, ends: readonly number[]): void {
    const last: Buffer[] = []
    for (let at = ends.length - 1; at >= 0 && last.length < KEPT_FRAMES; at--) {
      const start = ends[at - 1] ?? 0
      if (frames[start] === COLON || frames[start] === LF) continue
      // A copy, which does not keep alive the much larger buffer around it.
      last.unshift(ends.length === 1 ? frames : Buffer.from(frames.subarray(start, ends[at])))
    }
    this.#frames = [...this.#frames, ...last].slice(-KEPT_FRAMES)
  }

  /** They are handed out once. */
  frames(): Buffer[] {
    const frames = this.#frames
    this.#frames = []
    return frames
  }
}
