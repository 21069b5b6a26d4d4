/** A stream says in its last frames why it ended. */
const KEPT_FRAMES = 4

const LF = 10
const CR = 13
const COLON = 58

/** Comments of server-sent events and blank lines, and nothing else. */
const SILENT = /^(?:(?::[^\r\n]*)?(?:\r\n|\r|\n))*$/

/** The last frames of a stream that say something. */
export class Tail {
  #frames: Buffer[] = []

  keep(frames: Buffer, ends: readonly number[]): void {
    const last: Buffer[] = []
    for (let at = ends.length - 1; at >= 0 && last.length < KEPT_FRAMES; at--) {
      const start = ends[at - 1] ?? 0
      if (isSilent(frames, start, ends[at]!)) continue
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

/** Looked at closely only where it begins like one: nearly all frames do not. */
function isSilent(frames: Buffer, start: number, end: number): boolean {
  const first = frames[start]
  return (first === COLON || first === LF || first === CR) && SILENT.test(frames.toString('latin1', start, end))
}
