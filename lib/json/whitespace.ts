/** White space between JSON's tokens (RFC 8259, section 2): space, tab, LF, CR. */
export function isJsonSpace(byte: number | undefined): boolean {
  return byte === 32 || byte === 10 || byte === 13 || byte === 9
}

/** @returns where something else than white space stands, or `end` */
export function skipJsonSpace(bytes: Buffer, from: number, end = bytes.length): number {
  let at = from
  while (at < end && isJsonSpace(bytes[at])) at++
  return at
}
