import { CONVERSATION_FIELD, type CompleteFormat, continuationNames } from '../formats/index.js'
import { surveyInSteps } from '../json/run-survey.js'
import { JsonSurvey, type Span } from '../json/survey.js'
import { parseFields } from '../json/top-level.js'
import { TopLevelScanner } from '../json/top-level-scanner.js'
import { Blocks } from './blocks.js'
import { type Decoder, decode } from './content-coding.js'
import { parseAtOnce } from './parse-body.js'
import { MAX_PARSED_BYTES, type ReadResources, runTask } from './read-resources.js'

/** The members of a format that name fields of its requests. */
export type RequestFormat = Partial<Pick<CompleteFormat, 'continuationField' | 'readsBothCases' | 'usageRequest'>>

/** What is known of a body's JSON. */
export interface BodyJson {
  /**
   * The parsed JSON; for a large body that nothing may edit, only `model` and `stream`. `undefined` if the body is not
   * JSON, or was not read.
   */
  readonly json: unknown
  /** The decompressed JSON, if `content` is compressed and the JSON is short. */
  readonly decoded?: Buffer
  /**
   * Positions of the values of the JSON object's top-level fields, if it was scanned: all fields of a body that may be
   * edited, otherwise only `model`, `stream`, and those that the request's format names.
   */
  readonly spans?: ReadonlyMap<string, Span>
}

/** This few bytes are parsed in no time, whatever they contain. */
const HARMLESS_BYTES = 16 * 1024

/** In short numbers: `JSON.parse` takes some five milliseconds for this. */
const MAX_PARSED_WORK = 50_000

const MAX_ID_BYTES = 4096

/** Reads what the proxy needs to know about a body that is forwarded unchanged. */
export async function scanBody(bytes: Buffer, format: RequestFormat, resources: ReadResources): Promise<BodyJson> {
  if (bytes.length <= HARMLESS_BYTES) return { json: parseAtOnce(bytes) }
  const usageField = format.usageRequest?.[0]
  const names = continuationNames(format)
  const continued = names.length > 0 ? [...names, CONVERSATION_FIELD] : names
  const fields = ['model', 'stream', ...continued, usageField].filter((name) => name !== undefined)
  const survey = new JsonSurvey(bytes, fields)
  await runTask(surveyInSteps(survey), bytes.length, resources)
  if (bytes.length <= MAX_PARSED_BYTES && survey.work <= MAX_PARSED_WORK) {
    return { json: parseAtOnce(bytes), spans: survey.spans }
  }
  if (!survey.isComplete) return { json: undefined }
  const spans = new Map(survey.spans)
  for (const name of continued) {
    const { start, end } = spans.get(name) ?? { start: 0, end: 0 }
    // A client could send another value than an id, which takes time to parse.
    if (end - start > MAX_ID_BYTES) spans.delete(name)
  }
  if (usageField !== undefined) spans.delete(usageField)
  return { json: parseFields(bytes, spans), spans: survey.spans }
}

/** How much is decompressed of a compressed body that is forwarded unchanged. */
const MAX_SCANNED_BYTES = 1024 * 1024

/** Does the same for a compressed body: decompresses only its first part, and keeps little of that. */
export async function scanCompressedBody(
  bytes: Buffer,
  decoder: Decoder,
  format: RequestFormat,
  resources: ReadResources,
): Promise<BodyJson> {
  const json: Record<string, unknown> = Object.create(null)
  const scanner = new TopLevelScanner(['model', 'stream'], json)
  const blocks = new Blocks(resources.share)
  let size = 0
  const isComplete = await decode(bytes, decoder, (chunk) => {
    size += chunk.length
    scanner.push(chunk)
    if (size <= MAX_PARSED_BYTES) blocks.push(chunk)
    return size < MAX_SCANNED_BYTES
  })
  if (isComplete && size <= MAX_PARSED_BYTES) {
    const text = await runTask(blocks.join(), size, resources)
    return { ...(await scanBody(text, format, resources)), decoded: text }
  }
  blocks.release()
  return { json: isComplete && !scanner.isComplete ? undefined : json }
}
