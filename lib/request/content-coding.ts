import type { Transform } from 'node:stream'
import zlib, { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib'
import { AiProxyError } from '../api/errors.js'

/** What decodes a body that is compressed in one way. */
export interface Decoder {
  readonly name: string
  /** @param start the first bytes of what it will decode */
  readonly create: (start: Buffer) => Transform
}

const CHUNK = { chunkSize: 64 * 1024 }

/** What Node has of Zstandard: 22.15, 23.8 and later. */
const zstd = zlib as { createZstdDecompress?: (options: object) => Transform }

/**
 * The largest window that HTTP allows with zstd, and that a decoder takes memory for: 8 MiB (RFC 9659, 3). Node's own
 * default is 128 MiB.
 */
const ZSTD_WINDOW_LOG = 23
/** libzstd's `ZSTD_d_windowLogMax`, which Node's `constants` have only where it has zstd. */
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
 * How a body is compressed.
 *
 * @param header the request's `content-encoding`
 * @returns `'identity'` if it is not; `undefined` if it is in a way that cannot be decoded here: one that Node does not
 *   know, or several after each other
 */
export function decoderFor(header: string | undefined): Decoder | 'identity' | undefined {
  const names = (header ?? '').split(',').map((name) => name.trim().toLowerCase())
  const codings = names.filter((name) => name !== '' && name !== 'identity')
  if (codings.length === 0) return 'identity'
  const [name = ''] = codings
  const create = codings.length === 1 ? decoders.get(name) : undefined
  return create && { name, create }
}

/** The failure of a request whose body must be read, and cannot be decoded. */
export function undecodable(): AiProxyError {
  const known = [...decoders.keys()].join(', ')
  return new AiProxyError('unsupported_media_type', `The request body's content-encoding is not one of ${known}`)
}

/** zlib's number for its only method. */
const DEFLATED = 8

/** "deflate" is zlib's format (RFC 9110, 8.4.1.2), though some send what is inside of it: its header tells (RFC 1950). */
function isZlib(start: Buffer): boolean {
  const [method = 0, flags = 0] = start
  return (method & 0x0f) === DEFLATED && (method * 256 + flags) % 31 === 0
}

/**
 * Decoders of brotli take up to 16 MiB each, of zstd 8, however small the body: only so many run at once, which is as fast
 * as more of them, because Node decodes in a pool of four threads.
 */
const MOST_AT_ONCE = 2
let running = 0
const waiting: (() => void)[] = []

/**
 * Decodes a body.
 *
 * @param onChunk takes what was decoded, and says whether to go on; what it throws ends the decoding, too
 * @returns whether it was decoded to its end
 * @throws AiProxyError `invalid_request` if the body is broken
 */
export async function decode(
  bytes: Buffer,
  { name, create }: Decoder,
  onChunk: (chunk: Buffer) => boolean,
): Promise<boolean> {
  if (running === MOST_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
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
