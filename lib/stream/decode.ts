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

/** The decoder for a response that came compressed though we asked for `identity`; `undefined` where none is needed. */
export function decoderFor(response: IncomingMessage, hasBody: boolean): Transform | undefined {
  const encoding = response.headers['content-encoding']?.trim().toLowerCase()
  return encoding && hasBody ? decoders.get(encoding)?.() : undefined
}

/** The response's body, decoded. Either stream's failure ends both. */
export function decoded(response: IncomingMessage, decoder: Transform): Readable {
  pipeline(response, decoder, () => {})
  return decoder
}
