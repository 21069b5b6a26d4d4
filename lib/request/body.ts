import type { IncomingMessage } from 'node:http'
import { AiProxyError, limitFailure } from '../api/errors.js'
import type { ResolvedLimits } from '../api/limits.js'
import { HeldBytes, type HeldShare } from '../exchange/held-bytes.js'
import { IncrementalParseError, parseIncrementally } from '../json/incremental-parse.js'
import { type Bounds, JsonSurvey, type Span } from '../json/survey.js'
import { parseFields } from '../json/top-level.js'
import { TopLevelScanner } from '../json/top-level-scanner.js'
import { runInTurns } from '../scheduling/run-in-turns.js'
import { sharedTurns, type TurnScheduler } from '../scheduling/turns.js'
import type { IncrementalTask } from '../util/incremental-task.js'
import { ReadThrottle } from '../util/read-throttle.js'
import { Blocks } from './blocks.js'
import type { BodyBytes } from './body-bytes.js'
import { type Decoder, decode, decoderFor, undecodableError } from './content-coding.js'
import { bodyLeftByParser } from './parsed-body.js'

/** The client's body on its way to the provider. */
export interface RequestBody {
  /**
   * The bytes to send, in pieces if an edit created pieces; the request itself if it passes unbuffered; `undefined` if
   * there is no body.
   */
  readonly content: BodyBytes | IncomingMessage | undefined
  /** The headers that describe the body, and that are forwarded with it. */
  readonly headers: Record<string, string>
  /**
   * The parsed JSON; for a large body that nothing may edit, only `model` and `stream`. `undefined` if the body is not
   * JSON, or was not read.
   */
  readonly json: unknown
  /** The decompressed JSON, if `content` is compressed and the JSON is short. */
  readonly decoded?: Buffer
  /**
   * Positions of the values of the JSON object's top-level fields, if it was scanned: all fields of a body that may be
   * edited, otherwise only `surveyedFields` and the one that asks for usage.
   */
  readonly spans?: ReadonlyMap<string, Span>
}

/** Resources for reading a body. */
export interface ReadResources {
  /** Accounts for the memory that the body takes. */
  readonly share: HeldShare
  /** Runs long work on the body in turns. */
  readonly turns: TurnScheduler
}

/** The top-level fields that are searched for in a large body that nothing may edit, beside its request for usage. */
const surveyedFields = ['model', 'stream', 'previous_response_id'] as const

// Node frames a body of unknown length only for these methods. For others it would send bare bytes, which the provider
// would read as a separate request.
const mayBeChunked = ['POST', 'PUT', 'PATCH']

/**
 * Reads the request's body once. JSON is buffered whole, within limits; a body that a parser has already read is taken
 * from where the parser left it; anything else passes through unread.
 *
 * @param limits `maxRequestBytes` limits the body, `maxDecodedRequestBytes` its decompressed size
 * @param onBytes called with the number of bytes of each chunk of a body that is buffered
 * @param isEdited whether JSON may be changed before it is forwarded: it is then decompressed, and parsed whatever its
 *   size
 * @param takesJson whether the provider reads the body as JSON, perhaps whatever its `content-type` is (see
 *   `takesJson`). The body is then inspected unless it is an upload: Ollama streams what curl calls a form
 * @param usageField the field in which the request's format asks for usage
 * @throws AiProxyError `request_too_large`, `decoded_request_too_large`, `held_bytes_exceeded`, `invalid_request`,
 *   `unsupported_media_type`
 */
export async function readBody(
  req: IncomingMessage,
  limits: ResolvedLimits,
  onBytes: (count: number) => void = () => {},
  isEdited = false,
  takesJson = isEdited,
  resources: ReadResources = { share: new HeldBytes(limits).share(), turns: sharedTurns() },
  usageField?: string,
): Promise<RequestBody> {
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
  const mayBeJson = takesJson && isEdited ? !/^multipart\//i.test(type) : (takesJson || isEdited) && !BINARY.test(type)
  const readsJson = isJson(type) || mayBeJson
  if (!left && !readsJson && isFramed) {
    if (declared) headers['content-length'] = declared
    return { content: req, headers, json: undefined }
  }
  const content = left
    ? accountFor(left.bytes, resources.share)
    : await readAll(req, Number(declared), limits, onBytes, resources)
  if (content.length > limits.maxRequestBytes) throw limitFailure('request_too_large', limits)
  if (content.length === 0) return noBody(mayBeChunked.includes(method) ? EMPTY : {})
  headers['content-length'] = String(content.length)
  if (!readsJson) return { content, headers, json: undefined }
  const decoder = decoderFor(encoding)
  if (!isEdited) {
    try {
      if (decoder === 'identity') return { content, headers, ...(await glance(content, usageField, resources)) }
      // A coding that we cannot decode is no error: the provider may know it.
      const result = decoder ? await glanceCompressed(content, decoder, usageField, resources) : { json: undefined }
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

/** A body of this size usually arrives together with its head. */
const MAX_ARRIVED_BYTES = 16 * 1024

/** Takes a small body that has arrived completely, which needs no listeners. @returns whether it did */
function takeArrived(req: IncomingMessage, size: number, blocks: Blocks, onBytes: (count: number) => void): boolean {
  const isUntouched = req.readableFlowing === null && req.readableEncoding === null && !req.destroyed
  // Requests that are not of Node's server may say that they are complete before their body is there.
  if (!req.complete || !isUntouched || req.readableLength !== size) return false
  for (let chunk: Buffer | null = req.read(); chunk !== null; chunk = req.read()) {
    onBytes(chunk.length)
    blocks.push(chunk)
  }
  return true
}

async function readAll(
  req: IncomingMessage,
  declared: number,
  limits: ResolvedLimits,
  onBytes: (count: number) => void,
  resources: ReadResources,
): Promise<Buffer> {
  const blocks = new Blocks(resources.share)
  // Node hands over the head first, and what arrived with it right after that.
  if (declared <= MAX_ARRIVED_BYTES) {
    await undefined
    if (takeArrived(req, declared, blocks, onBytes)) return runTask(blocks.join(), blocks.size, resources)
  }
  await new Promise<void>((resolve, reject) => {
    const aborted = () => new AiProxyError('invalid_request', 'The request body broke off')
    if (req.destroyed) return reject(aborted())
    const stopListening = () =>
      req.off('data', onData).off('end', onEnd).off('error', onAborted).off('close', onAborted)
    const refuse = (failure: unknown) => {
      stopListening()
      // Read and discard the rest, so that the client can read the response instead of getting a reset connection.
      req.resume()
      reject(failure)
    }
    const throttle = new ReadThrottle(req)
    const onData = (data: Buffer | string) => {
      // Strings arrive if something before the proxy has called `req.setEncoding()`.
      const chunk = typeof data === 'string' ? Buffer.from(data, req.readableEncoding ?? 'utf8') : data
      throttle.count()
      onBytes(chunk.length)
      if (blocks.size + chunk.length > limits.maxRequestBytes) return refuse(limitFailure('request_too_large', limits))
      try {
        blocks.push(chunk)
      } catch (failure) {
        refuse(failure)
      }
    }
    const onEnd = () => {
      stopListening()
      resolve()
    }
    const onAborted = () => {
      stopListening()
      reject(aborted())
    }
    req.on('data', onData).on('end', onEnd).on('error', onAborted).on('close', onAborted)
    // Something before the proxy may have paused it, so that nothing is lost until it is read.
    if (req.isPaused()) req.resume()
  })
  return runTask(blocks.join(), blocks.size, resources)
}

/** Larger bodies are scanned for what the proxy needs, and the provider validates them. */
const MAX_PARSED_BYTES = 256 * 1024

/** Runs work on a body: at once if the body is small, otherwise in turns. */
function runTask<T>(work: IncrementalTask<T>, bytes: number, resources: ReadResources): T | Promise<T> {
  if (bytes > MAX_PARSED_BYTES) return runTaskInTurns(resources, work)
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

/** Runs long work in turns, and abandons it once the request is over. */
function runTaskInTurns<T>({ share, turns }: ReadResources, work: IncrementalTask<T>): Promise<T> {
  return runInTurns(work, turns, () => share.isClosed)
}

type Glance = Pick<RequestBody, 'json' | 'decoded' | 'spans'>

/** This few bytes are parsed in no time, whatever they contain. */
const HARMLESS_BYTES = 16 * 1024

/** In short numbers: `JSON.parse` takes some five milliseconds for this. */
const MAX_PARSED_WORK = 50_000

const MAX_ID_BYTES = 4096

/** Reads what the proxy needs to know about a body that is forwarded unchanged. */
async function glance(bytes: Buffer, usageField: string | undefined, resources: ReadResources): Promise<Glance> {
  if (bytes.length <= HARMLESS_BYTES) return { json: parseAtOnce(bytes) }
  const survey = new JsonSurvey(bytes, usageField === undefined ? surveyedFields : [...surveyedFields, usageField])
  await runTask(inSteps(survey), bytes.length, resources)
  if (bytes.length <= MAX_PARSED_BYTES && survey.work <= MAX_PARSED_WORK) {
    return { json: parseAtOnce(bytes), spans: survey.spans }
  }
  if (!survey.isComplete) return { json: undefined }
  const spans = new Map(survey.spans)
  const { start, end } = spans.get('previous_response_id') ?? { start: 0, end: 0 }
  // A client could send another value than an id, which takes time to parse.
  if (end - start > MAX_ID_BYTES) spans.delete('previous_response_id')
  if (usageField !== undefined) spans.delete(usageField)
  return { json: parseFields(bytes, spans), spans: survey.spans }
}

/** How much is decompressed of a compressed body that is forwarded unchanged. */
const MAX_GLANCE_BYTES = 1024 * 1024

/** Does the same for a compressed body: decompresses only its first part, and keeps little of that. */
async function glanceCompressed(
  bytes: Buffer,
  decoder: Decoder,
  usageField: string | undefined,
  resources: ReadResources,
): Promise<Glance> {
  const json: Record<string, unknown> = Object.create(null)
  const scanner = new TopLevelScanner(['model', 'stream'], json)
  const blocks = new Blocks(resources.share)
  let size = 0
  const isComplete = await decode(bytes, decoder, (chunk) => {
    size += chunk.length
    scanner.push(chunk)
    if (size <= MAX_PARSED_BYTES) blocks.push(chunk)
    return size < MAX_GLANCE_BYTES
  })
  if (isComplete && size <= MAX_PARSED_BYTES) {
    const text = await runTask(blocks.join(), size, resources)
    return { ...(await glance(text, usageField, resources)), decoded: text }
  }
  blocks.release()
  return { json: isComplete && !scanner.isComplete ? undefined : json }
}

/** Decompresses a body because an option needs its content. */
async function decompress(
  bytes: Buffer,
  decoder: Decoder,
  limits: ResolvedLimits,
  resources: ReadResources,
): Promise<Buffer> {
  const blocks = new Blocks(resources.share)
  const isSmaller = limits.maxDecodedRequestBytes < limits.maxRequestBytes
  const most = isSmaller ? limits.maxDecodedRequestBytes : limits.maxRequestBytes
  const isComplete = await decode(bytes, decoder, (chunk) => {
    if (blocks.size + chunk.length > most) return false
    blocks.push(chunk)
    return true
  })
  if (!isComplete) throw limitFailure(isSmaller ? 'decoded_request_too_large' : 'request_too_large', limits)
  resources.share.remove(bytes.length)
  return runTask(blocks.join(), blocks.size, resources)
}

/**
 * Limits for a body that an option reads. Requests to models are nested some ten deep; JSON nested thousands deep takes
 * seconds to parse. They have some ten fields; hundreds of thousands, each checked several times, would take seconds.
 * The longest lists are tokens to embed, some 300,000; `JSON.parse` turns 32 MiB of empty objects into a gigabyte.
 */
const BOUNDS: Bounds = { depth: 500, fields: 1000, work: 1_000_000 }

const boundMessages: Record<keyof Bounds, string> = {
  depth: `is nested more than ${BOUNDS.depth} deep`,
  fields: `has more than ${BOUNDS.fields} fields`,
  work: 'has more values than a request to a model can need',
}

const STEP_BYTES = 64 * 1024

function* inSteps(survey: JsonSurvey): IncrementalTask<void> {
  while (!survey.advance(STEP_BYTES)) yield
}

/** Finds the fields of a body that an option reads. Rejects a body that would take too long to read. */
async function surveyFields(bytes: Buffer, resources: ReadResources): Promise<ReadonlyMap<string, Span>> {
  const survey = new JsonSurvey(bytes, undefined, BOUNDS)
  await runTask(inSteps(survey), bytes.length, resources)
  if (survey.exceeded) throw new AiProxyError('invalid_request', `The request body ${boundMessages[survey.exceeded]}`)
  return survey.spans
}

async function parsed(bytes: Buffer, resources: ReadResources): Promise<unknown> {
  if (bytes.length <= MAX_PARSED_BYTES) return parseAtOnce(bytes)
  try {
    return await runTaskInTurns(resources, parseIncrementally(bytes))
  } catch (error) {
    if (error instanceof AiProxyError) throw error
    if (error instanceof IncrementalParseError) {
      throw new AiProxyError('invalid_request', `The request body ${error.message}`)
    }
    throw new AiProxyError('invalid_request', 'The request body is not valid JSON')
  }
}

function parseAtOnce(bytes: Buffer): unknown {
  try {
    const text = bytes.toString()
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch (error) {
    // V8's message quotes the body; the position of the error is enough.
    const at = /at position \d+/.exec((error as Error).message)?.[0] ?? 'at its end'
    throw new AiProxyError('invalid_request', `The request body is not valid JSON (${at})`)
  }
}
