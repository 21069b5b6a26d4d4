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
import { type Decoder, decode, decoderFor, undecodable } from './content-coding.js'
import { bodyLeftByParser } from './parsed-body.js'

/** The client's body on its way to the provider. */
export interface RequestBody {
  /**
   * The bytes to send, in pieces if an edit has made them so, or the request itself where they pass unbuffered;
   * `undefined` where there is no body.
   */
  readonly content: BodyBytes | IncomingMessage | undefined
  /** The headers that describe it, and that go on with it. */
  readonly headers: Record<string, string>
  /**
   * What its JSON says, of a large one that nobody may edit `model` and `stream` alone; `undefined` where it is no JSON,
   * or was not read.
   */
  readonly json: unknown
  /** The JSON's own bytes, if `content` has them compressed and they are few. */
  readonly decoded?: Buffer
  /**
   * Where the values of the JSON object's top-level fields are, if it was looked through: all of them in a body that may
   * be edited, those of `surveyedFields` in another.
   */
  readonly spans?: ReadonlyMap<string, Span>
}

/** What reading a body takes of its surroundings. */
export interface ReadingMeans {
  /** Counts the memory that it takes. */
  readonly share: HeldShare
  /** Long work on it is done in these turns. */
  readonly turns: TurnScheduler
}

/** The top-level fields that are looked for in a large body that nobody may edit. */
const surveyedFields = ['model', 'stream', 'stream_options'] as const

// Node frames a body of unknown length for these alone. For any other method it would send the bytes bare, and the
// provider would read them as a request of its own.
const mayBeChunked = ['POST', 'PUT', 'PATCH']

/**
 * Reads the request's body once: JSON as a whole, bounded while it comes in; what a body parser read before, from where
 * it left it; anything else not at all, for it passes through.
 *
 * @param limits of these, `maxRequestBytes` bounds the body, `maxDecodedRequestBytes` what it decompresses to
 * @param onBytes told how many bytes of a body that is read as a whole have come in
 * @param isEdited JSON may be changed before it goes on: it is decompressed, and parsed whatever its size
 * @param takesJson the provider takes it for JSON, perhaps whatever its `content-type` says: `takesJson` of its path. It is
 *   looked into, if it is no upload: Ollama streams what curl calls a form
 * @throws AiProxyError `request_too_large`, `decoded_request_too_large`, `held_bytes_exceeded`, `invalid_request`,
 *   `unsupported_media_type`
 */
export async function readBody(
  req: IncomingMessage,
  limits: ResolvedLimits,
  onBytes: (count: number) => void = () => {},
  isEdited = false,
  takesJson = isEdited,
  means: ReadingMeans = { share: new HeldBytes(limits).share(), turns: sharedTurns() },
): Promise<RequestBody> {
  const { 'content-type': type = '', 'content-length': declared, 'transfer-encoding': transfer } = req.headers
  if (Number(declared) > limits.maxRequestBytes) throw limitFailure('request_too_large', limits)
  // HTTP/2 frames bodies itself: no header says that there is one.
  const mayComeUnsaid = req.httpVersionMajor >= 2 && declared === undefined
  if (!transfer && !Number(declared) && !mayComeUnsaid) return noBody(declared === undefined ? {} : EMPTY)
  const left = bodyLeftByParser(req)
  // A parser has decompressed what it left.
  const encoding = left ? undefined : req.headers['content-encoding']
  const headers: Record<string, string> = {}
  if (left?.contentType || type) headers['content-type'] = left?.contentType || type
  if (encoding) headers['content-encoding'] = encoding

  const isFramed = declared !== undefined || mayBeChunked.includes(req.method ?? '')
  // What the app wants to see or change must not slip by, whatever the header says; a form is no JSON in any case.
  const mayBeJson = takesJson && isEdited ? !/^multipart\//i.test(type) : (takesJson || isEdited) && !BINARY.test(type)
  const readsJson = isJson(type) || mayBeJson
  if (!left && !readsJson && isFramed) {
    if (declared) headers['content-length'] = declared
    return { content: req, headers, json: undefined }
  }
  const content = left ? counted(left.bytes, means.share) : await readAll(req, limits, onBytes, means)
  if (content.length > limits.maxRequestBytes) throw limitFailure('request_too_large', limits)
  if (content.length === 0) return noBody(mayBeChunked.includes(req.method ?? '') ? EMPTY : {})
  headers['content-length'] = String(content.length)
  if (!readsJson) return { content, headers, json: undefined }
  const decoder = decoderFor(encoding)
  if (!isEdited) {
    try {
      if (decoder === 'identity') return { content, headers, ...(await glanced(content, means)) }
      // What cannot be decoded here need not be: the provider may know it.
      const glance = decoder ? await glancedInto(content, decoder, means) : { json: undefined }
      return { content, headers, ...glance }
    } catch (error) {
      // What does not say that it is JSON need not be.
      if (isJson(type) || !(error instanceof AiProxyError) || error.code !== 'invalid_request') throw error
      return { content, headers, json: undefined }
    }
  }
  if (decoder === undefined) throw undecodable()
  const text = decoder === 'identity' ? content : await decoded(content, decoder, limits, means)
  const spans = await surveyed(text, means)
  if (left && 'json' in left) return { content, headers, json: left.json, spans }
  const { 'content-encoding': _, ...plain } = headers
  plain['content-length'] = String(text.length)
  return { content: text, headers: plain, json: await parsed(text, means), spans }
}

const EMPTY = { 'content-length': '0' }

function noBody(headers: Record<string, string>): RequestBody {
  return { content: undefined, headers, json: undefined }
}

/** What nobody sends by mistake, and nobody reads as JSON. */
const BINARY = /^(?:multipart|audio|image|video)\/|^application\/(?:octet-stream|pdf|zip)/i

function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType)
}

function counted(bytes: Buffer, share: HeldShare): Buffer {
  share.add(bytes.length)
  return bytes
}

async function readAll(
  req: IncomingMessage,
  limits: ResolvedLimits,
  onBytes: (count: number) => void,
  means: ReadingMeans,
): Promise<Buffer> {
  const blocks = new Blocks(means.share)
  await new Promise<void>((resolve, reject) => {
    const brokenOff = () => new AiProxyError('invalid_request', 'The request body broke off')
    if (req.destroyed) return reject(brokenOff())
    const stopListening = () =>
      req.off('data', onData).off('end', onEnd).off('error', onAborted).off('close', onAborted)
    const refuse = (failure: unknown) => {
      stopListening()
      // The rest is read and thrown away, so that the client gets to read the answer instead of a reset connection.
      req.resume()
      reject(failure)
    }
    const brake = new ReadThrottle(req)
    const onData = (data: Buffer | string) => {
      // Strings come where something before the proxy has called `req.setEncoding()`.
      const chunk = typeof data === 'string' ? Buffer.from(data, req.readableEncoding ?? 'utf8') : data
      brake.count()
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
      reject(brokenOff())
    }
    req.on('data', onData).on('end', onEnd).on('error', onAborted).on('close', onAborted)
  })
  return finished(blocks.joined(), blocks.size, means)
}

/** Larger bodies are looked through for what the proxy needs; whether they are valid, the provider says. */
const PARSED_WHOLE_BYTES = 256 * 1024

/** Does work on a body at once if the body is small, otherwise in turns. */
function finished<T>(work: IncrementalTask<T>, bytes: number, means: ReadingMeans): T | Promise<T> {
  if (bytes > PARSED_WHOLE_BYTES) return inTurnsOf(means, work)
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

/** Long work, given up once the request is over. */
function inTurnsOf<T>({ share, turns }: ReadingMeans, work: IncrementalTask<T>): Promise<T> {
  return runInTurns(work, turns, () => share.isClosed)
}

type Glance = Pick<RequestBody, 'json' | 'decoded' | 'spans'>

/** So few bytes are parsed in no time, whatever they say. */
const HARMLESS_BYTES = 16 * 1024

/** In numbers: `JSON.parse` takes some five milliseconds for it. */
const PARSED_WHOLE_WORK = 50_000

/** What the proxy needs to know of a body that goes on as it is. */
async function glanced(bytes: Buffer, means: ReadingMeans): Promise<Glance> {
  if (bytes.length <= HARMLESS_BYTES) return { json: parsedAtOnce(bytes) }
  const survey = new JsonSurvey(bytes, surveyedFields)
  await finished(inSteps(survey), bytes.length, means)
  if (bytes.length <= PARSED_WHOLE_BYTES && survey.work <= PARSED_WHOLE_WORK) {
    return { json: parsedAtOnce(bytes), spans: survey.spans }
  }
  if (!survey.isComplete) return { json: undefined }
  const { stream_options, ...json } = parseFields(bytes, survey.spans)
  return { json, spans: survey.spans }
}

/** How much of a compressed body is looked at that goes on as it is. */
const GLANCED_AT_BYTES = 1024 * 1024

/** The same of a compressed body. Of what it says, only its first part is decoded, and only little is kept. */
async function glancedInto(bytes: Buffer, decoder: Decoder, means: ReadingMeans): Promise<Glance> {
  const json: Record<string, unknown> = Object.create(null)
  const scanner = new TopLevelScanner(['model', 'stream'], json)
  const blocks = new Blocks(means.share)
  let size = 0
  const isWhole = await decode(bytes, decoder, (chunk) => {
    size += chunk.length
    scanner.push(chunk)
    if (size <= PARSED_WHOLE_BYTES) blocks.push(chunk)
    return size < GLANCED_AT_BYTES
  })
  if (isWhole && size <= PARSED_WHOLE_BYTES) {
    const text = await finished(blocks.joined(), size, means)
    return { ...(await glanced(text, means)), decoded: text }
  }
  blocks.drop()
  return { json: isWhole && !scanner.isComplete ? undefined : json }
}

/** A body that is decompressed because an option asks for it. */
async function decoded(bytes: Buffer, decoder: Decoder, limits: ResolvedLimits, means: ReadingMeans): Promise<Buffer> {
  const blocks = new Blocks(means.share)
  const isSmaller = limits.maxDecodedRequestBytes < limits.maxRequestBytes
  const most = isSmaller ? limits.maxDecodedRequestBytes : limits.maxRequestBytes
  const isWhole = await decode(bytes, decoder, (chunk) => {
    if (blocks.size + chunk.length > most) return false
    blocks.push(chunk)
    return true
  })
  if (!isWhole) throw limitFailure(isSmaller ? 'decoded_request_too_large' : 'request_too_large', limits)
  means.share.remove(bytes.length)
  return finished(blocks.joined(), blocks.size, means)
}

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

const STEP_BYTES = 64 * 1024

function* inSteps(survey: JsonSurvey): IncrementalTask<void> {
  while (!survey.advance(STEP_BYTES)) yield
}

/** Where the fields are of a body that an option reads; refused if it would take too long to read. */
async function surveyed(bytes: Buffer, means: ReadingMeans): Promise<ReadonlyMap<string, Span>> {
  const survey = new JsonSurvey(bytes, undefined, BOUNDS)
  await finished(inSteps(survey), bytes.length, means)
  if (survey.exceeded) throw new AiProxyError('invalid_request', `The request body ${unwieldy[survey.exceeded]}`)
  return survey.spans
}

async function parsed(bytes: Buffer, means: ReadingMeans): Promise<unknown> {
  if (bytes.length <= PARSED_WHOLE_BYTES) return parsedAtOnce(bytes)
  try {
    return await inTurnsOf(means, parseIncrementally(bytes))
  } catch (error) {
    if (error instanceof AiProxyError) throw error
    if (error instanceof IncrementalParseError) {
      throw new AiProxyError('invalid_request', `The request body ${error.message}`)
    }
    throw new AiProxyError('invalid_request', 'The request body is not valid JSON')
  }
}

function parsedAtOnce(bytes: Buffer): unknown {
  try {
    const text = bytes.toString()
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch (error) {
    // V8 quotes the body in its message; where the error lies is enough.
    const at = /at position \d+/.exec((error as Error).message)?.[0] ?? 'at its end'
    throw new AiProxyError('invalid_request', `The request body is not valid JSON (${at})`)
  }
}
