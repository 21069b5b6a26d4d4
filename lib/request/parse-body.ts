import { AiProxyError, limitFailure } from '../api/errors.js'
import type { ResolvedLimits } from '../api/limits.js'
import { IncrementalParseError, parseIncrementally } from '../json/incremental-parse.js'
import { surveyInSteps } from '../json/run-survey.js'
import { type Bounds, JsonSurvey, MAX_NAME_BYTES, type Span } from '../json/survey.js'
import { Blocks } from './blocks.js'
import { type Decoder, decode } from './content-coding.js'
import { MAX_PARSED_BYTES, type ReadResources, runTask, runTaskInTurns } from './read-resources.js'

/** Decompresses a body because an option needs its content. */
export async function decompress(
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
const BOUNDS: Bounds = { depth: 500, fields: 1000, name: MAX_NAME_BYTES, work: 1_000_000 }

const boundMessages: Record<keyof Bounds, string> = {
  depth: `is nested more than ${BOUNDS.depth} deep`,
  fields: `has more than ${BOUNDS.fields} fields`,
  name: 'has a name that is too long',
  work: 'has more values than a request to a model can need',
}

/** Finds the fields of a body that an option reads. Rejects a body that would take too long to read. */
export async function surveyFields(bytes: Buffer, resources: ReadResources): Promise<ReadonlyMap<string, Span>> {
  const survey = new JsonSurvey(bytes, undefined, BOUNDS)
  await runTask(surveyInSteps(survey), bytes.length, resources)
  if (survey.exceeded) throw new AiProxyError('invalid_request', `The request body ${boundMessages[survey.exceeded]}`)
  return survey.spans
}

/** Parses a body that an option reads: in turns if it is large. */
export async function parsed(bytes: Buffer, resources: ReadResources): Promise<unknown> {
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

/** Parses a short body. */
export function parseAtOnce(bytes: Buffer): unknown {
  try {
    const text = bytes.toString()
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch (error) {
    // V8's message quotes the body; the position of the error is enough.
    const at = /at position \d+/.exec((error as Error).message)?.[0] ?? 'at its end'
    throw new AiProxyError('invalid_request', `The request body is not valid JSON (${at})`)
  }
}
