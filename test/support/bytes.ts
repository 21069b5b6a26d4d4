/** Bytes as a string of one character each, so that failed comparisons are readable. */
export function latin1(bytes: Buffer | undefined): string | undefined {
  return bytes?.toString('latin1')
}

/** Splits bytes at the given places, which may be unordered, repeated or beyond the end. */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.filter((place) => place > 0 && place < bytes.length))].sort((a, b) => a - b)
  const edges = [0, ...ends, bytes.length]
  return edges.slice(1).map((end, at) => bytes.subarray(edges[at], end))
}

/** Returns copies, so that later changes to the bytes do not show. */
export function piecesOf(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(Buffer.from(bytes.subarray(at, at + size)))
  return pieces
}
