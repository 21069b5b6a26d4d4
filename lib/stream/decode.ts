import type { IncomingMessage } from 'node:http'
import { pipeline, type Readable, type Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'

// Events must come out as they come in. At its end a stream must be whole, or it counts as broken.
const asItComes = { flush: constants.Z_SYNC_FLUSH }
const brotliAsItComes = { flush: constants.BROTLI_OPERATION_FLUSH }

const decoders = new Map<string, () => Transform>([
  ['gzip', () => createGunzip(asItComes)],
  ['x-gzip', () => createGunzip(asItComes)],
  ['deflate', () => createInflate(asItComes)],
  ['br', () => createBrotliDecompress(brotliAsItComes)],
])

/** What some servers name where there is no coding at all (`identity` is no coding: RFC 9110, 12.5.3). */
const NO_CODING = new Set(['', 'identity', 'none', 'utf-8', 'utf8'])

/** The codings that a `content-encoding` names, without those that are none. */
export function codingsOf(contentEncoding: string | undefined): string[] {
  const codings = (contentEncoding ?? '').split(',').map((coding) => coding.trim().toLowerCase())
  return codings.filter((coding) => !NO_CODING.has(coding))
}

/** The decoder for a response that came compressed though we asked for `identity`; `undefined` where none is needed. */
export function decoderFor(response: IncomingMessage, hasBody: boolean): Transform | undefined {
  const codings = codingsOf(response.headers['content-encoding'])
  return codings.length === 1 && hasBody ? decoders.get(codings[0]!)?.() : undefined
}

/** The response's body, decoded. Either stream's failure ends both. */
export function decoded(response: IncomingMessage, decoder: Transform): Readable {
  pipeline(response, decoder, () => {})
  return decoder
}
