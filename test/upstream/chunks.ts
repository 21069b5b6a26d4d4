import fc from 'fast-check'

interface Chunk {
  readonly data: Buffer
  /** As it is sent: with its size before and a line end behind. */
  readonly coded: Buffer
}

const CRLF = Buffer.from('\r\n')

/** A size as a chunk has it, of so many digits at least. */
function hex(size: number, digits: number, isUpper: boolean): string {
  const plain = size.toString(16).padStart(digits, '0')
  return isUpper ? plain.toUpperCase() : plain
}

const asBytes = (parts: readonly string[]): Uint8Array => Buffer.from(parts.join(''))

const dataOfChunk = fc
  .oneof(
    fc.uint8Array({ minLength: 1, maxLength: 40 }),
    // What looks like chunks, line ends and the end of a head.
    fc.array(fc.constantFrom('\r', '\n', '\r\n\r\n', '0', 'a', ';', '2\r\nab\r\n'), { minLength: 1 }).map(asBytes),
    fc.integer({ min: 1, max: 300 }).map((length) => new Uint8Array(length).fill(0x78)),
  )
  .map((bytes) => Buffer.from(bytes))

/** A chunk without an extension, of at least a byte, its size in up to 8 digits. */
export const plainChunk: fc.Arbitrary<Chunk> = fc
  .tuple(dataOfChunk, fc.integer({ min: 1, max: 8 }), fc.boolean())
  .map(([data, digits, isUpper]) => {
    const size = Buffer.from(`${hex(data.length, digits, isUpper)}\r\n`)
    return { data, coded: Buffer.concat([size, data, CRLF]) }
  })

/** Where to cut: anywhere, or at each byte, or nowhere. */
export const cuts: fc.Arbitrary<readonly number[]> = fc.oneof(
  fc.array(fc.nat(300), { maxLength: 20 }),
  fc.constant(Array.from({ length: 400 }, (_, at) => at)),
  fc.constant([]),
)

/** All data of the chunks, and all of their bytes. */
export function joined(chunks: readonly Chunk[]): Chunk {
  const all = (part: keyof Chunk) => Buffer.concat(chunks.map((chunk) => chunk[part]))
  return { data: all('data'), coded: all('coded') }
}
