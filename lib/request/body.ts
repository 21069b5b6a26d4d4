import type { IncomingMessage } from 'node:http'
import { AiProxyError, limitFailure } from '../api/errors.js'
import type { ResolvedLimits } from '../api/limits.js'
import { HeldBytes, type HeldShare } from '../exchange/held-bytes.js'
import { sharedTurns } from '../scheduling/turns.js'
import { readAll } from './arriving-body.js'
import type { BodyBytes } from './body-bytes.js'
import { decoderFor, undecodableError } from './content-coding.js'
import { decompress, parsed, surveyFields } from './parse-body.js'
import { bodyLeftByParser } from './parsed-body.js'
import type { ReadResources } from './read-resources.js'
import { type BodyJson, type RequestFormat, scanBody, scanCompressedBody } from './scan-body.js'

/** The client's body on its way to the provider. */
export interface RequestBody extends BodyJson {
  /**
   * The bytes to send, in pieces if an edit created pieces; the request itself if it passes unbuffered; `undefined` if
   * there is no body.
   */
  readonly content: BodyBytes | IncomingMessage | undefined
  /** The headers that describe the body, and that are forwarded with it. */
  readonly headers: Record<string, string>
}

/** How a body is read. */
export interface ReadOptions {
  /** Called with the number of bytes of each chunk of a body that is buffered. */
  readonly onBytes?: (count: number) => void
  /** JSON may be changed before it is forwarded: it is then decompressed, and parsed whatever its size. */
  readonly isEdited?: boolean
  /**
   * The provider reads the body as JSON, perhaps whatever its `content-type` is (see `takesJson`). The body is then
   * inspected unless it is an upload: Ollama streams what curl calls a form. Default: `isEdited`.
   */
  readonly takesJson?: boolean
  /** Default: its own. */
  readonly resources?: ReadResources
  /** The format of the request, which names the fields to find in a large body. Default: one that names none. */
  readonly format?: RequestFormat
}

// Node frames a body of unknown length only for these methods. For others it would send bare bytes, which the provider
// would read as a separate request.
const mayBeChunked = ['POST', 'PUT', 'PATCH']

/**
 * Reads the request's body once. JSON is buffered whole, within limits; a body that a parser has already read is taken
 * from where the parser left it; anything else passes through unread.
 *
 * @param limits `maxRequestBytes` limits the body, `maxDecodedRequestBytes` its decompressed size
 * @throws AiProxyError `request_too_large`, `decoded_request_too_large`, `held_bytes_exceeded`, `invalid_request`,
 *   `unsupported_media_type`
 */
export async function readBody(
  req: IncomingMessage,
  limits: ResolvedLimits,
  options: ReadOptions = {},
): Promise<RequestBody> {
  const { onBytes = () => {}, isEdited = false, takesJson = isEdited, format = {} } = options
  const { resources = { share: new HeldBytes(limits).share(), turns: sharedTurns() } } = options
  const { headers: given, method = '' } = req
  const { 'content-type': type = '', 'content-length': declared, 'transfer-encoding': transfer } = given
  if (Number(declared) > limits.maxRequestBytes) throw limitFailure('request_too_large', limits)
  // HTTP/2 has its own framing, so no header says whether there is a body.
  const mayBeUndeclared = declared === undefined && req.httpVersionMajor >= 2
  if (!transfer && !Number(declared) && !mayBeUndeclared) return noBody(declared === undefined ? {} : EMPTY)
  const left = bodyLeftByParser(req)
  // What a parser left is already decompressed.
  const encoding = left ? undefined : given['content-encoding']
  const headers: Record<string, string> = {}
  if (left?.contentType || type) headers['content-type'] = left?.contentType || type
  if (encoding) headers['content-encoding'] = encoding

  const isFramed = declared !== undefined || mayBeChunked.includes(method)
  // No header may hide from the app what it wants to see or change. A multipart form is never JSON.
  const mayBeJson = () =>
    takesJson && isEdited ? !/^multipart\//i.test(type) : (takesJson || isEdited) && !BINARY.test(type)
  const readsJson = isJson(type) || mayBeJson()
  if (!left && !readsJson && isFramed) {
    if (declared) headers['content-length'] = declared
    return { content: req, headers, json: undefined }
  }
  const content = left
    ? accountFor(left.bytes, resources.share)
    : await readAll(req, transfer ? undefined : Number(declared), limits, onBytes, resources)
  if (content.length > limits.maxRequestBytes) throw limitFailure('request_too_large', limits)
  if (content.length === 0) return noBody(mayBeChunked.includes(method) ? EMPTY : {})
  headers['content-length'] = String(content.length)
  if (!readsJson) return { content, headers, json: undefined }
  const decoder = decoderFor(encoding)
  if (!isEdited) {
    try {
      if (decoder === 'identity') return { content, headers, ...(await scanBody(content, format, resources)) }
      // A coding that we cannot decode is no error: the provider may know it.
      const result = decoder ? await scanCompressedBody(content, decoder, format, resources) : { json: undefined }
      return { content, headers, ...result }
    } catch (error) {
      // A body that is not declared as JSON need not be JSON.
      if (isJson(type) || !(error instanceof AiProxyError) || error.code !== 'invalid_request') throw error
      return { content, headers, json: undefined }
    }
  }
  if (decoder === undefined) throw undecodableError()
  const text = decoder === 'identity' ? content : await decompress(content, decoder, limits, resources)
  const spans = await surveyFields(text, resources)
  if (left && 'json' in left) return { content, headers, json: left.json, spans }
  const { 'content-encoding': _, ...plain } = headers
  plain['content-length'] = String(text.length)
  return { content: text, headers: plain, json: await parsed(text, resources), spans }
}

const EMPTY = { 'content-length': '0' }

function noBody(headers: Record<string, string>): RequestBody {
  return { content: undefined, headers, json: undefined }
}

/** Types that nobody declares by mistake, and nobody reads as JSON. */
const BINARY = /^(?:multipart|audio|image|video)\/|^application\/(?:octet-stream|pdf|zip)/i

function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType)
}

function accountFor(bytes: Buffer, share: HeldShare): Buffer {
  share.add(bytes.length)
  return bytes
}
