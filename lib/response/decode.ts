import type { IncomingMessage } from 'node:http'
import type { Readable, Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate, type Zlib } from 'node:zlib'

// Events must come out as they come in. At its end a stream must be whole, or it counts as broken.
const asItComes = { flush: constants.Z_SYNC_FLUSH }
const brotliAsItComes = { flush: constants.BROTLI_OPERATION_FLUSH }

/** A stream of zlib's that decodes. */
export type Decoder = Transform & Zlib

const decoders = new Map<string, () => Decoder>([
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
export function decoderFor(response: IncomingMessage, hasBody: boolean): Decoder | undefined {
  const codings = codingsOf(response.headers['content-encoding'])
  return codings.length === 1 && hasBody ? decoders.get(codings[0]!)?.() : undefined
}

/**
 * The response's body, decoded. Either stream's failure ends both, but where the response breaks off, what had come of it is
 * decoded first: it may hold whole events, and the end of the stream.
 */
export function decoded(response: IncomingMessage, decoder: Decoder): Readable {
  response.pipe(decoder)
  // Its error is told by the decoder.
  response.on('error', () => {})
  const onClose = () => {
    if (response.readableEnded || decoder.destroyed) return
    response.unpipe(decoder)
    for (let chunk = response.read(); chunk !== null; chunk = response.read()) decoder.write(chunk)
    const error = response.errored ?? new Error('the response was closed before its end')
    decoder.flush(() => decoder.destroy(error))
  }
  // It may have broken off before it is read, while a hook of the app's was waited for.
  if (response.closed) onClose()
  else response.once('close', onClose)
  decoder.once('close', () => {
    if (!response.readableEnded) response.destroy()
  })
  return decoder
}
