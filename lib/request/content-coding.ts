import type { Transform } from 'node:stream'
import zlib, { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib'
import { AiProxyError } from '../api/errors.js'

/** Decodes bodies in one content coding. */
export interface Decoder {
  readonly name: string
  /** @param start the first bytes of the body */
  readonly create: (start: Buffer) => Transform
}

const CHUNK = { chunkSize: 64 * 1024 }

/** Node has Zstandard since 22.15 and 23.8. */
const zstd = zlib as { createZstdDecompress?: (options: object) => Transform }

/**
 * The largest window that HTTP allows with zstd, and for which a decoder allocates memory: 8 MiB (RFC 9659, 3). Node's
 * default is 128 MiB.
 */
const ZSTD_WINDOW_LOG = 23
/** libzstd's `ZSTD_d_windowLogMax`, which Node's `constants` have only if Node has zstd. */
const ZSTD_D_WINDOW_LOG_MAX = 100

const gzip = () => createGunzip(CHUNK)
const decoders = new Map<string, Decoder['create']>([
  ['gzip', gzip],
  ['x-gzip', gzip],
  ['deflate', (start) => (isZlib(start) ? createInflate(CHUNK) : createInflateRaw(CHUNK))],
  ['br', () => createBrotliDecompress(CHUNK)],
])
const { createZstdDecompress } = zstd
if (createZstdDecompress) {
  const params = { [ZSTD_D_WINDOW_LOG_MAX]: ZSTD_WINDOW_LOG }
  decoders.set('zstd', () => createZstdDecompress({ ...CHUNK, params }))
}

/**
 * Returns the decoder for a body.
 *
 * @param header the request's `content-encoding`
 * @returns `'identity'` if the body is not compressed; `undefined` if it cannot be decoded here, because Node does not
 *   know the coding or because there are several
 */
export function decoderFor(header: string | undefined): Decoder | 'identity' | undefined {
  const names = (header ?? '').split(',').map((name) => name.trim().toLowerCase())
  const codings = names.filter((name) => name !== '' && name !== 'identity')
  if (codings.length === 0) return 'identity'
  const [name = ''] = codings
  const create = codings.length === 1 ? decoders.get(name) : undefined
  return create && { name, create }
}

/** Creates the error for a body that must be read but cannot be decoded. */
export function undecodableError(): AiProxyError {
  const known = [...decoders.keys()].join(', ')
  return new AiProxyError('unsupported_media_type', `The request body's content-encoding is not one of ${known}`)
}

/** zlib's number for its only method. */
const DEFLATED = 8

/**
 * Returns whether data is in zlib's format (RFC 1950). "deflate" means that format (RFC 9110, 8.4.1.2), but some send
 * raw deflate.
 */
export function isZlib(start: Buffer): boolean {
  const [method = 0, flags = 0] = start
  return (method & 0x0f) === DEFLATED && (method * 256 + flags) % 31 === 0
}

/**
 * A brotli decoder takes up to 16 MiB, a zstd decoder 8 MiB, however small the body, so only this many run at once.
 * More would not be faster, because Node decodes in a pool of four threads.
 */
const MAX_CONCURRENT = 2
let running = 0
const waiting: (() => void)[] = []

/**
 * Decodes a body.
 *
 * @param onChunk called with decoded data; returns whether to continue. If it throws, decoding ends too
 * @returns whether the body was decoded to its end
 * @throws AiProxyError `invalid_request` if the body is malformed
 */
export async function decode(
  bytes: Buffer,
  { name, create }: Decoder,
  onChunk: (chunk: Buffer) => boolean,
): Promise<boolean> {
  if (running === MAX_CONCURRENT) await new Promise<void>((resolve) => waiting.push(resolve))
  else running++
  try {
    return await decodeNow(bytes, create(bytes), onChunk)
  } catch (error) {
    if (error instanceof AiProxyError) throw error
    throw new AiProxyError('invalid_request', `The request body is not valid ${name}`)
  } finally {
    const next = waiting.shift()
    if (next) next()
    else running--
  }
}

function decodeNow(bytes: Buffer, decoder: Transform, onChunk: (chunk: Buffer) => boolean): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      decoder.off('data', onData)
      decoder.destroy()
    }
    const onData = (chunk: Buffer) => {
      try {
        if (onChunk(chunk)) return
        stop()
        resolve(false)
      } catch (error) {
        stop()
        reject(error)
      }
    }
    decoder
      .on('data', onData)
      .on('end', () => resolve(true))
      .on('error', reject)
      .end(bytes)
  })
}
