/** Returns whether a byte is white space between JSON tokens (RFC 8259, section 2): space, tab, LF or CR. */
export function isJsonSpace(byte: number | undefined): boolean {
  return byte === 32 || byte === 10 || byte === 13 || byte === 9
}

/** @returns the index of the first byte that is not white space, or `end` */
export function skipJsonSpace(bytes: Buffer, from: number, end = bytes.length): number {
  let at = from
  while (at < end && isJsonSpace(bytes[at])) at++
  return at
}
