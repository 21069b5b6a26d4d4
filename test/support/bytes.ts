/** Bytes as a string of one character each, for comparisons that read well when they fail. */
export function latin1(bytes: Buffer | undefined): string | undefined {
  return bytes?.toString('latin1')
}

/** Cuts bytes at the given places; places out of order, twice or beyond the end do no harm. */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.filter((place) => place > 0 && place < bytes.length))].sort((a, b) => a - b)
  const edges = [0, ...ends, bytes.length]
  return edges.slice(1).map((end, at) => bytes.subarray(edges[at], end))
}

/** Copies, so that nobody sees what is done to the bytes later. */
export function piecesOf(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(Buffer.from(bytes.subarray(at, at + size)))
  return pieces
}
