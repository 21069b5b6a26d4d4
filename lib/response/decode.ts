import type { IncomingMessage } from 'node:http'
import type { Readable, Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflateRaw, type Zlib } from 'node:zlib'
import { isZlib } from '../request/content-coding.js'

// Flush after each chunk, so that events pass as they arrive. A stream that is incomplete at its end counts as broken.
const flushEachChunk = { flush: constants.Z_SYNC_FLUSH }
const flushEachBrotliChunk = { flush: constants.BROTLI_OPERATION_FLUSH }

/** A decoding stream of zlib. */
export type Decoder = Transform & Zlib

const decoders = new Map<string, () => Decoder>([
  ['gzip', () => createGunzip(flushEachChunk)],
  ['x-gzip', () => createGunzip(flushEachChunk)],
  ['deflate', createAnyInflate],
  ['br', () => createBrotliDecompress(flushEachBrotliChunk)],
])

/**
 * Values that some servers send although there is no coding (`identity` is not a coding: RFC 9110, 12.5.3): charsets,
 * codings of a transfer, and those of mails.
 */
const NO_CODING =
  /^(?:|identity|none|null|utf-?8|us-ascii|iso-8859-1|chunked|(?:7|8)-?bit|binary|text\/[\w.+-]+|application\/json)$/

/** Bytes of the head of zlib's format (RFC 1950); its end is a checksum, behind the end of the data. */
const ZLIB_HEAD_BYTES = 2

/**
 * Creates a decoder for "deflate", which means zlib's format (RFC 9110, 8.4.1.2). Some servers send raw deflate, and
 * browsers take both.
 */
function createAnyInflate(): Decoder {
  const decoder = createInflateRaw(flushEachChunk)
  const inflate = decoder._transform.bind(decoder)
  let start: Buffer = Buffer.alloc(0)
  const findFormat: typeof inflate = (chunk: Buffer, encoding, done) => {
    start = Buffer.concat([start, chunk])
    if (start.length < ZLIB_HEAD_BYTES && !decoder.writableEnded) return done()
    decoder._transform = inflate
    const data = isZlib(start) ? start.subarray(ZLIB_HEAD_BYTES) : start
    // An end before the head is an error, which only an empty last chunk shows.
    inflate(data, encoding, (error) => (error || chunk.length > 0 ? done(error) : inflate(chunk, encoding, done)))
  }
  decoder._transform = findFormat
  return decoder
}

/** Returns the codings that a `content-encoding` names, without those that change nothing. */
export function codingsOf(contentEncoding: string | undefined): string[] {
  if (contentEncoding === undefined) return []
  const codings = contentEncoding.split(',').map((coding) => coding.trim().toLowerCase())
  return codings.filter((coding) => !NO_CODING.test(coding))
}

/**
 * Returns what creates the decoder for a response that is compressed although we asked for `identity`; `undefined` if
 * none is needed.
 */
export function decoderFor(response: IncomingMessage, hasBody: boolean): (() => Decoder) | undefined {
  const codings = codingsOf(response.headers['content-encoding'])
  return codings.length === 1 && hasBody ? decoders.get(codings[0]!) : undefined
}

/** Returns whether a body can be read: it is in no coding, or in one that is decoded here. */
export function isDecodable(response: IncomingMessage): boolean {
  return codingsOf(response.headers['content-encoding']).length === 0 || decoderFor(response, true) !== undefined
}

/**
 * Returns the decoded body of a response. A failure of either stream ends both; but if the response breaks off, what
 * had arrived of it is decoded first: it may contain whole events, and the end of the stream.
 */
export function decodeBody(response: IncomingMessage, decoder: Decoder): Readable {
  response.pipe(decoder)
  // The decoder reports its error.
  response.on('error', () => {})
  const onClose = () => {
    if (response.readableEnded || decoder.destroyed) return
    response.unpipe(decoder)
    for (let chunk = response.read(); chunk !== null; chunk = response.read()) decoder.write(chunk)
    const error = response.errored ?? new Error('the response was closed before its end')
    decoder.flush(() => decoder.destroy(error))
  }
  // The response may have broken off earlier, while a hook of the app was awaited.
  if (response.closed) onClose()
  else response.once('close', onClose)
  decoder.once('close', () => {
    if (!response.readableEnded) response.destroy()
  })
  return decoder
}
