/** So many marked frames are read from either end of a turn: a provider that marks every frame counts on as it goes. */
const MAX_FROM_EACH_END = 4

/**
 * The frames that have a marker in them, by index, in order; of many, the first and the last few.
 *
 * @param ends where each frame ends
 */
export function framesContaining(frames: Buffer, ends: readonly number[], marker: Buffer): readonly number[] {
  let found = frames.indexOf(marker)
  if (found === -1) return NONE
  const indexes: number[] = []
  let at = 0
  while (found !== -1 && indexes.length < MAX_FROM_EACH_END) {
    while (at < ends.length && ends[at]! <= found) at++
    if (at === ends.length) return indexes
    indexes.push(at)
    found = frames.indexOf(marker, ends[at])
  }
  return found === -1 ? indexes : [...indexes, ...lastContaining(frames, ends, marker, at)]
}

/** The last few marked frames behind the frame `after`. */
function lastContaining(frames: Buffer, ends: readonly number[], marker: Buffer, after: number): number[] {
  const indexes: number[] = []
  let at = ends.length - 1
  let found = frames.lastIndexOf(marker)
  while (found !== -1 && indexes.length < MAX_FROM_EACH_END) {
    while (at > after && ends[at - 1]! > found) at--
    if (at <= after) break
    indexes.unshift(at)
    const start = ends[at - 1] ?? 0
    found = start === 0 ? -1 : frames.lastIndexOf(marker, start - 1)
  }
  return indexes
}

const NONE: readonly number[] = []
