import { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { anyErrorIn } from '../formats/index.js'
import { type Framing, jsonArray, sse } from '../framing/index.js'
import { isObject, isUnfinishedJson, tryParseJson } from '../json/json.js'
import type { Carriage } from './carriage.js'

/** `data: `, in front of what has become an event. */
const DATA_BYTES = 6

/** Whether what a body ended with, without the end of a frame, is an event, and not a part of one. */
export function acceptsRest(
  rest: Buffer,
  { format, answer }: Exchange,
  { framer, framing, isEnclosed, metering }: Carriage,
): boolean {
  if (framer.prefix?.length) return metering?.isWhole?.([...framer.prefix, rest]) === true
  // An answer of another kind, which has become an event, need not be JSON; where it is, half of it is told.
  if (isEnclosed) return !isUnfinishedJson(rest.subarray(DATA_BYTES))
  const data = framing?.read(rest)?.data
  if (data !== undefined && tryParseJson(data) !== undefined) return true
  // A terminator may be told by the name of its event, of whose data only a part has come, or none of it yet.
  if (data && format.isTerminator(rest) && !isUnfinishedJson(Buffer.from(data))) return true
  const isComment = data === undefined && framer.last() === undefined
  if (data === undefined && !isComment) answer.strayText = rest.toString()
  return isComment
}

/**
 * What is wrong with an answer whose body ended well in HTTP; `undefined` where nothing is, or where it says an error
 * itself.
 *
 * A stream must have ended in its own protocol as well: with its last message, or with a finish reason. Streams are let
 * pass in which no message of their format was: OpenAI's chat completions stand for every path that no format claims, and
 * how what is spoken there ends is not known.
 */
export function failureAtEnd(exchange: Exchange, { framer, framing, isEnclosed }: Carriage): AiProxyError | undefined {
  exchange.finishMetering()
  const { answer, format } = exchange
  if (answer.error !== undefined) return undefined
  if (answer.isCut) return truncated()
  if (!framing || isEnclosed || answer.isComplete) return undefined
  const isEmpty = framer.events === 0 && !format.isGuess
  return strayFailure(exchange, framing) ?? (answer.isRecognised || isEmpty ? truncated() : undefined)
}

/**
 * The same for an answer whose body ended in the middle of a frame, of which nothing goes out.
 *
 * @param why a sentence
 * @param isCloseDelimited the end of the connection is all that ends the body, so that it may as well have broken
 */
export function failureOfCut(
  why: string,
  exchange: Exchange,
  carriage: Carriage,
  isCloseDelimited: boolean,
): AiProxyError | undefined {
  const failure = failureAtEnd(exchange, carriage)
  if (failure?.code === 'upstream_error') return failure
  const { answer } = exchange
  // What was lost came after the end of the answer. But an array that is not closed is no JSON.
  const isComplete = answer.isComplete || answer.error !== undefined
  if (isComplete && carriage.framing !== jsonArray) return undefined
  const cause = new Error(why)
  if (!isCloseDelimited) return truncated(cause)
  return answer.isLast ? undefined : new AiProxyError('upstream_reset', 'The provider broke off its answer', { cause })
}

function truncated(cause?: Error): AiProxyError {
  return new AiProxyError('upstream_truncated', 'The provider ended its answer before it was complete', { cause })
}

/** A line of an event stream: a field that its readers know, or a comment. */
const FIELD = /^(?:data|event|id|retry)?:/m

/** An event stream that has no event in it, but a page, or an error in JSON. */
function strayFailure({ answer, format, secrets }: Exchange, framing: Framing): AiProxyError | undefined {
  const { strayText, hasMessages } = answer
  if (framing !== sse || hasMessages || !strayText?.trim() || FIELD.test(strayText)) return undefined
  const said = tryParseJson(secrets.mask(strayText))
  const error = (isObject(said) && format.readAnswer(said).error) || anyErrorIn(said)
  if (error) return new AiProxyError('upstream_error', `The provider failed within its answer: ${error}`)
  const isAnswer = typeof said === 'object' && said !== null
  return isAnswer ? undefined : new AiProxyError('upstream_error', 'The provider answered with no event stream')
}
