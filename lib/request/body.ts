import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { brotliDecompress, type InputType, inflate, gunzip as unzip, type ZlibOptions } from 'node:zlib'
import { AiProxyError, limitFailure } from '../errors.js'
import type { Limits } from '../options.js'
import { bodyLeftByParser } from './parsed-body.js'

/** The client's body on its way to the provider. */
export interface RequestBody {
  /** The bytes to send, or the request itself where they pass unbuffered; `undefined` where there is no body. */
  readonly content: Buffer | IncomingMessage | undefined
  /** The headers that describe it, and that go on with it. */
  readonly headers: Record<string, string>
  /** What its JSON says; `undefined` where it is no JSON. */
  readonly json: unknown
}

type Inflate = (bytes: InputType, options: ZlibOptions) => Promise<Buffer>

const decoders: Record<string, Inflate> = {
  gzip: promisify<InputType, ZlibOptions, Buffer>(unzip),
  'x-gzip': promisify<InputType, ZlibOptions, Buffer>(unzip),
  deflate: promisify<InputType, ZlibOptions, Buffer>(inflate),
  br: promisify<InputType, ZlibOptions, Buffer>(brotliDecompress),
}

/**
 * Reads the request's body once: JSON as a whole, bounded while it comes in; what a body parser read before, from where
 * it left it; anything else not at all, for it passes through.
 *
 * @param limits of these, `maxRequestBytes` bounds the body, and what it decompresses to
 * @throws AiProxyError `request_too_large`, `invalid_request`
 */
export async function readBody(req: IncomingMessage, limits: Readonly<Limits>): Promise<RequestBody> {
  const declared = req.headers['content-length']
  const maxBytes = limits.maxRequestBytes
  if (Number(declared) > maxBytes) throw limitFailure('request_too_large', limits)
  if (!req.headers['transfer-encoding'] && !Number(declared)) {
    return { content: undefined, headers: declared === undefined ? {} : { 'content-length': '0' }, json: undefined }
  }
  const { 'content-type': type = '', 'content-encoding': encoding } = req.headers
  const headers: Record<string, string> = type ? { 'content-type': type } : {}

  const left = bodyLeftByParser(req)
  if (!left && !isJson(type)) {
    if (encoding) headers['content-encoding'] = encoding
    if (declared) headers['content-length'] = declared
    return { content: req, headers, json: undefined }
  }
  const content = left?.bytes ?? (await readAll(req, limits))
  if (content.length > maxBytes) throw limitFailure('request_too_large', limits)
  if (left?.contentType) headers['content-type'] = left.contentType
  // A parser has decompressed what it left.
  if (encoding && !left) headers['content-encoding'] = encoding
  headers['content-length'] = String(content.length)
  if (!isJson(type)) return { content, headers, json: undefined }
  const text = encoding && !left ? await decompress(content, encoding, limits) : content
  return { content, headers, json: left && 'json' in left ? left.json : parseJson(text) }
}

function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType)
}

function readAll(req: IncomingMessage, limits: Readonly<Limits>): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const stopListening = () => req.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken)
    const onData = (chunk: Buffer) => {
      chunks.push(chunk)
      size += chunk.length
      if (size <= limits.maxRequestBytes) return
      stopListening()
      // The rest is read and thrown away, so that the client gets to read the answer instead of a reset connection.
      req.resume()
      reject(limitFailure('request_too_large', limits))
    }
    const onEnd = () => {
      stopListening()
      resolve(Buffer.concat(chunks, size))
    }
    const onBroken = () => {
      stopListening()
      reject(new AiProxyError('invalid_request', 'The request body broke off'))
    }
    req.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken)
  })
}

async function decompress(bytes: Buffer, encoding: string, limits: Readonly<Limits>): Promise<Buffer> {
  const decode = decoders[encoding.toLowerCase()]
  if (!decode) {
    const known = Object.keys(decoders).join(', ')
    throw new AiProxyError('invalid_request', `The request body's content-encoding is not one of ${known}`)
  }
  try {
    return await decode(bytes, { maxOutputLength: limits.maxRequestBytes })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw limitFailure('request_too_large', limits)
    throw new AiProxyError('invalid_request', `The request body is not valid ${encoding}`)
  }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString().replace(/^\uFEFF/, ''))
  } catch (error) {
    // V8 quotes the body in its message; where the error lies is enough.
    const at = /at position \d+/.exec((error as Error).message)?.[0] ?? 'at its end'
    throw new AiProxyError('invalid_request', `The request body is not valid JSON (${at})`)
  }
}
