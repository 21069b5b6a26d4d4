import { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { answersInObjects, saidErrorIn } from '../formats/index.js'
import { type Framing, jsonArray, sse } from '../framing/index.js'
import { isObject, isUnfinishedJson, tryParseJson } from '../json/json.js'
import type { AnswerStart } from './answer-start.js'
import type { BodyPlan } from './body-plan.js'

/** What is known of an answer when it ends. */
export type EndedAnswer = Pick<Exchange, 'format' | 'answer' | 'secrets' | 'finishMetering'>

/** How its body was read. */
type ReadBody = Pick<BodyPlan, 'framer' | 'framing' | 'isEnclosed' | 'metering'>

/** Length of `data: `, in front of a body that became an event. */
const DATA_BYTES = 6

/** Returns what a body ends with that is no whole frame, and what is wrong with it: a sentence, or `undefined`. */
export function restOf(
  exchange: EndedAnswer,
  bodyPlan: BodyPlan,
): { rest: Buffer | undefined; why: string | undefined } {
  const { framer } = bodyPlan
  const rest = framer.end()
  const isCut = !framer.corrupt && rest && !acceptsRest(rest, exchange, bodyPlan)
  if (isCut) framer.discardLast()
  return { rest, why: isCut ? 'it ended in the middle of an event' : framer.corrupt }
}

/** Returns whether the rest of a body that ended without the end of a frame is a complete event. */
export function acceptsRest(
  rest: Buffer,
  { format, answer }: EndedAnswer,
  { framer, framing, isEnclosed, metering }: ReadBody,
): boolean {
  if (framer.prefix?.length) return metering?.isCompleteMessage?.([...framer.prefix, rest]) === true
  // An answer that became an event need not be JSON; but if it is, incomplete JSON shows that it was cut.
  if (isEnclosed) return !isUnfinishedJson(rest.subarray(DATA_BYTES))
  // Whole events may precede the one that has no end.
  const event = framer.last() ?? rest
  const data = framing?.read(event)?.data
  if (data !== undefined && tryParseJson(data) !== undefined) return true
  // The name of its event may identify a terminator even if its data is incomplete or has not arrived.
  if (data && format.isTerminator(event) && !isUnfinishedJson(Buffer.from(data))) return true
  const isComment = data === undefined && framer.last() === undefined
  // Nor is JSON under the wrong label cut if it is whole; what it says is read at the end.
  if (isComment || (data === undefined && framer.events === 1 && isObject(tryParseJson(rest.toString())))) return true
  if (data === undefined) answer.keepStray([rest])
  return false
}

/**
 * Returns what is wrong with an answer that ended well in HTTP; `undefined` if nothing is, or if the answer reports an
 * error itself.
 *
 * A stream must have ended in its own protocol as well: with its last message, or with a finish reason. Streams without
 * any message of their format are accepted: OpenAI's chat completions are assumed for every path that no format claims,
 * compatible servers speak other protocols, and how these end is unknown. But what cannot be an answer in any of them says
 * that there is none, and one or two messages such as `null` are none.
 */
export function failureAtEnd(
  exchange: EndedAnswer,
  { framer, framing, isEnclosed }: ReadBody,
): AiProxyError | undefined {
  exchange.finishMetering()
  const { answer, format } = exchange
  if (answer.error !== undefined) return undefined
  if (answer.isTruncated) return truncated()
  if (!framing || isEnclosed) return undefined
  const instead = saidInstead(answer, framer)
  if (instead !== undefined) return failedWithin(instead, exchange)
  if (answer.isComplete) return undefined
  const isEmpty = framer.events === 0 && !format.isGuess
  const failure = (framer.events === 1 ? failureOfOnly(exchange) : undefined) ?? strayFailure(exchange, framing)
  if (failure || answer.isComplete) return failure
  const isBlank = answer.isBlank && framer.events <= MAX_EVENTS_OF_ERROR
  return answer.isRecognised || isEmpty || isBlank ? truncated() : undefined
}

/** Returns what is wrong with an answer of which no more has come than the start. */
export function failureOfStart(start: AnswerStart | undefined): AiProxyError | undefined {
  if (start?.isBlank) return truncated()
  return start?.isKnown === false ? pageInstead() : undefined
}

/**
 * Returns what is wrong with an answer that ended in the middle of a frame, which is not sent.
 *
 * @param why a sentence
 * @param isCloseDelimited only the end of the connection ends the body, so that the connection may also have broken
 */
export function failureOfCut(
  why: string,
  exchange: EndedAnswer,
  bodyPlan: ReadBody,
  isCloseDelimited: boolean,
): AiProxyError | undefined {
  const failure = failureAtEnd(exchange, bodyPlan)
  if (failure?.code === 'upstream_error') return failure
  const { answer } = exchange
  // The lost bytes came after the end of the answer. But an array that is not closed is not JSON.
  const isComplete = answer.isComplete || answer.error !== undefined
  if (isComplete && bodyPlan.framing !== jsonArray) return undefined
  const cause = new Error(why)
  if (!isCloseDelimited) return truncated(cause)
  return answer.isLast ? undefined : brokenOff(cause)
}

/** Returns the failure of an answer whose connection broke. */
export function brokenOff(cause: Error): AiProxyError {
  return new AiProxyError('upstream_reset', 'The provider broke off its answer', { cause })
}

/** Returns the failure of a page that came in the place of an answer. */
export function pageInstead(): AiProxyError {
  return new AiProxyError('upstream_error', 'The provider answered with a page instead of its protocol')
}

/** Returns what was said in the place of an answer, in nearly the only event of a stream; `undefined` if it may be an answer. */
export function saidInstead(answer: EndedAnswer['answer'], { events }: ReadBody['framer']): string | undefined {
  return events <= MAX_EVENTS_OF_ERROR ? answer.saidInstead : undefined
}

/** An error, and the last event of its stream. */
const MAX_EVENTS_OF_ERROR = 2

function failedWithin(said: string, { secrets }: Pick<EndedAnswer, 'secrets'>): AiProxyError {
  // Parsing undoes how a secret may have been escaped.
  return new AiProxyError('upstream_error', `The provider failed within its answer: ${secrets.mask(said)}`)
}

function truncated(cause?: Error): AiProxyError {
  return new AiProxyError('upstream_truncated', 'The provider ended its answer before it was complete', { cause })
}

/**
 * Returns the failure of a stream with a single message, if that is no answer. If it is a whole answer, as in JSON that is
 * no stream, that is read.
 */
function failureOfOnly({ answer, format, secrets }: EndedAnswer): AiProxyError | undefined {
  if (!answersInObjects(format) || !isObject(answer.unknownMessage)) return undefined
  const reading = format.readAnswer(answer.unknownMessage)
  if (reading.finishReason) answer.add({ ...reading, isLast: true }, performance.now())
  if (answer.isRecognised || answer.isComplete || reading.error === undefined) return undefined
  return failedWithin(reading.error, { secrets })
}

/** A line of an event stream: a known field, or a comment. */
const FIELD = /^(?:data|event|id|retry)?:/m

/**
 * Returns the failure of an event stream that contains no event, but a page or an error in JSON. If it is a whole answer in
 * JSON, under the wrong label, that is read.
 */
function strayFailure({ answer, format, secrets }: EndedAnswer, framing: Framing): AiProxyError | undefined {
  const { strayText, hasMessages } = answer
  if (framing !== sse || hasMessages || !strayText?.trim() || FIELD.test(strayText)) return undefined
  const parsed = tryParseJson(strayText)
  const reading = isObject(parsed) ? format.readAnswer(parsed) : {}
  const error = reading.error || saidErrorIn(parsed, format)
  if (error) return failedWithin(error, { secrets })
  const isRead = Boolean(reading.finishReason || reading.usage)
  if (isRead) answer.add({ ...reading, isLast: true }, performance.now())
  // In an unknown protocol, any JSON may be an answer.
  if (isRead || (format.isGuess && typeof parsed === 'object' && parsed !== null)) return undefined
  return new AiProxyError('upstream_error', 'The provider did not answer with an event stream')
}
