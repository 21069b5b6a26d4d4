/** Returns the total length of chunks, in bytes. */
export function sizeOf(chunks: readonly Buffer[]): number {
  let size = 0
  for (const chunk of chunks) size += chunk.length
  return size
}
