/** Maximum number of matches from either end of a turn: if a provider marks every frame, its counts are cumulative. */
const MAX_FROM_EACH_END = 4

/**
 * Finds the frames that contain a marker. Of many, only the first and last few are returned.
 *
 * @param ends where each frame ends
 * @returns their indexes in ascending order
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

/** Returns the last few frames with the marker after the frame `after`. */
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
