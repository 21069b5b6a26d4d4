import { constants } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, type InputType, inflate, type ZlibOptions } from 'node:zlib'
import { AiProxyError, limitFailure } from '../errors.js'
import { type Bounds, JsonSurvey } from '../json-survey.js'
import type { Limits } from '../limits.js'
import { topLevelFields } from '../top-level.js'
import { bodyLeftByParser } from './parsed-body.js'

/** The client's body on its way to the provider. */
export interface RequestBody {
  /** The bytes to send, or the request itself where they pass unbuffered; `undefined` where there is no body. */
  readonly content: Buffer | IncomingMessage | undefined
  /** The headers that describe it, and that go on with it. */
  readonly headers: Record<string, string>
  /** What its JSON says, of a large one `model` and `stream` alone; `undefined` where it is no JSON. */
  readonly json: unknown
  /** The JSON's own bytes, where `content` has them compressed. */
  readonly decoded?: Buffer
}

type Inflate = (bytes: InputType, options: ZlibOptions) => Promise<Buffer>

const decoders = new Map<string, Inflate>([
  ['gzip', promisify<InputType, ZlibOptions, Buffer>(gunzip)],
  ['x-gzip', promisify<InputType, ZlibOptions, Buffer>(gunzip)],
  ['deflate', promisify<InputType, ZlibOptions, Buffer>(inflate)],
  ['br', promisify<InputType, ZlibOptions, Buffer>(brotliDecompress)],
])

// Node frames a body of unknown length for these alone. For any other method it would send the bytes bare, and the
// provider would read them as a request of its own.
const mayBeChunked = ['POST', 'PUT', 'PATCH']

/**
 * Reads the request's body once: JSON as a whole, bounded while it comes in; what a body parser read before, from where
 * it left it; anything else not at all, for it passes through.
 *
 * @param limits of these, `maxRequestBytes` bounds the body, and what it decompresses to
 * @param onBytes told how many bytes of a body that is read as a whole have come in
 * @param isEdited JSON may be changed before it goes on: it is decompressed, and parsed whatever its size
 * @param takesJson the provider takes it for JSON, perhaps whatever its `content-type` says: `takesJson` of its path
 * @throws AiProxyError `request_too_large`, `invalid_request`
 */
export async function readBody(
  req: IncomingMessage,
  limits: Readonly<Limits>,
  onBytes: (count: number) => void = () => {},
  isEdited = false,
  takesJson = isEdited,
): Promise<RequestBody> {
  const { 'content-type': type = '', 'content-length': declared, 'transfer-encoding': transfer } = req.headers
  if (Number(declared) > limits.maxRequestBytes) throw limitFailure('request_too_large', limits)
  if (!transfer && !Number(declared)) {
    return { content: undefined, headers: declared === undefined ? {} : { 'content-length': '0' }, json: undefined }
  }
  const left = bodyLeftByParser(req)
  // A parser has decompressed what it left.
  const encoding = left ? undefined : req.headers['content-encoding']
  const headers: Record<string, string> = {}
  if (left?.contentType || type) headers['content-type'] = left?.contentType || type
  if (encoding) headers['content-encoding'] = encoding

  const isFramed = declared !== undefined || mayBeChunked.includes(req.method ?? '')
  // What the app wants to see or change must not slip by, whatever the header says; a form is no JSON in any case.
  const mayBeJson = takesJson ? !/^multipart\//i.test(type) : isEdited && !BINARY.test(type)
  const readsJson = isJson(type) || mayBeJson
  if (!left && !readsJson && isFramed) {
    if (declared) headers['content-length'] = declared
    return { content: req, headers, json: undefined }
  }
  const content = left?.bytes ?? (await readAll(req, limits, onBytes))
  if (content.length > limits.maxRequestBytes) throw limitFailure('request_too_large', limits)
  headers['content-length'] = String(content.length)
  if (!readsJson) return { content, headers, json: undefined }
  const text = await decompressed(content, encoding, limits)
  if (isEdited) refuseUnwieldy(text)
  if (left && 'json' in left) return { content, headers, json: left.json }
  if (!isEdited) {
    const json = parseJson(text, PARSED_WHOLE_BYTES)
    return text === content ? { content, headers, json } : { content, headers, json, decoded: text }
  }
  const { 'content-encoding': _, ...plain } = headers
  plain['content-length'] = String(text.length)
  return { content: text, headers: plain, json: parseJson(text, Number.POSITIVE_INFINITY) }
}

/** What nobody sends by mistake, and nobody reads as JSON. */
const BINARY = /^(?:multipart|audio|image|video)\/|^application\/(?:octet-stream|pdf|zip)/i

function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType)
}

function readAll(req: IncomingMessage, limits: Readonly<Limits>, onBytes: (count: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const brokenOff = () => new AiProxyError('invalid_request', 'The request body broke off')
    if (req.destroyed) return reject(brokenOff())
    const chunks: Buffer[] = []
    let size = 0
    const stopListening = () => req.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken)
    const onData = (chunk: Buffer) => {
      chunks.push(chunk)
      size += chunk.length
      onBytes(chunk.length)
      if (size <= limits.maxRequestBytes) return
      stopListening()
      // The rest is read and thrown away, so that the client gets to read the answer instead of a reset connection.
      req.resume()
      reject(limitFailure('request_too_large', limits))
    }
    const onEnd = () => {
      stopListening()
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size))
    }
    const onBroken = () => {
      stopListening()
      reject(brokenOff())
    }
    req.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken)
  })
}

async function decompressed(bytes: Buffer, encoding: string | undefined, limits: Readonly<Limits>): Promise<Buffer> {
  const name = encoding?.trim().toLowerCase() || 'identity'
  if (name === 'identity') return bytes
  const decode = decoders.get(name)
  if (!decode) {
    const known = [...decoders.keys()].join(', ')
    throw new AiProxyError('invalid_request', `The request body's content-encoding is not one of ${known}`)
  }
  try {
    return await decode(bytes, { maxOutputLength: Math.min(limits.maxRequestBytes, constants.MAX_LENGTH) })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw limitFailure('request_too_large', limits)
    throw new AiProxyError('invalid_request', `The request body is not valid ${name}`)
  }
}

/** Larger bodies are looked through for what the proxy needs; whether they are valid, the provider says. */
const PARSED_WHOLE_BYTES = 256 * 1024

/**
 * What a body may have that an option reads. What models are asked is nested some ten deep; thousands deep, JSON takes
 * seconds to parse. It has some ten fields: hundreds of thousands, each looked at several times, would take seconds. The
 * longest lists are of tokens to embed, some 300,000: of 32 MiB of empty objects `JSON.parse` makes a gigabyte.
 */
const BOUNDS: Bounds = { depth: 500, fields: 1000, work: 1_000_000 }

const unwieldy: Record<keyof Bounds, string> = {
  depth: `is nested more than ${BOUNDS.depth} deep`,
  fields: `has more than ${BOUNDS.fields} fields`,
  work: 'has more values than a request to a model can need',
}

function refuseUnwieldy(bytes: Buffer): void {
  const survey = new JsonSurvey(bytes, [], BOUNDS)
  survey.advance()
  if (survey.exceeded) throw new AiProxyError('invalid_request', `The request body ${unwieldy[survey.exceeded]}`)
}

function parseJson(bytes: Buffer, upToBytes: number): unknown {
  try {
    if (bytes.length > upToBytes) return topLevelFields(bytes, ['model', 'stream'])
    const text = bytes.toString()
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch (error) {
    // V8 quotes the body in its message; where the error lies is enough.
    const at = /at position \d+/.exec((error as Error).message)?.[0] ?? 'at its end'
    throw new AiProxyError('invalid_request', `The request body is not valid JSON (${at})`)
  }
}
