import { isA } from '../api/errors.js'
import type { Reading, UsageAccumulator } from '../exchange/usage-accumulator.js'
import {
  answersInObjects,
  type CompleteFormat,
  errorText,
  isAside,
  isErrorEvent,
  type JsonObject,
  type ParsedMessage,
  type Progress,
  saidErrorIn,
  saidWithoutAnswer,
  sendsObjects,
  spokenErrorIn,
  statusOfError,
} from '../formats/index.js'
import type { Framing, Message } from '../framing/index.js'
import { isObject, tryParseJson } from '../json/json.js'
import { tryParseWithinBounds, UnwieldyJsonError } from '../json/parse-within-bounds.js'
import { digestFrame } from './large-frame.js'
import { hasTooManyLines, isExpensiveToParse } from './parse-cost.js'

/** Maximum number of characters kept of an error that is not JSON. */
const MAX_ERROR_CHARS = 1000

/** The message of a frame, and its data. */
export interface ParsedFrame {
  readonly message: Message
  /** Parsed JSON; `undefined` if the data is not JSON. */
  readonly data: unknown
}

/** A parsed frame, and what its message says. */
export interface ReadFrame extends ParsedFrame {
  readonly reading: Reading
  /** `undefined` if the message is not one of the format's. */
  readonly progress: Progress | undefined
  /** Its data holds JSON that would take too much memory, and was not read. */
  readonly isUnwieldy?: true
}

/**
 * Parses a whole frame.
 *
 * @param mayDigest whether a digest may stand for data that is expensive to parse; the message then has no data
 * @returns `undefined` if the frame has no message
 * @throws UnwieldyJsonError if the data must be parsed, and that would take too much memory or time
 */
export function parseFrame(frame: Buffer, framing: Framing, mayDigest: boolean): ParsedFrame | undefined {
  if (mayDigest && isExpensiveToParse(frame)) return { message: { data: '' }, data: digestFrame(frame, framing) }
  if (!mayDigest && hasTooManyLines(frame)) throw new UnwieldyJsonError()
  const message = framing.read(frame)
  // What surrounds the data may look like a part of it, such as the quote in a comment.
  return message && { message, data: mayDigest ? tryParseJson(message.data) : tryParseWithinBounds(message.data) }
}

/**
 * Reads what a message says, including an error that its framing or its data reports.
 *
 * @param isState the request asks for the state of something that has errors of its own
 */
export function interpret(message: Message, data: unknown, format: CompleteFormat, isState = false): ReadFrame {
  try {
    return interpretMessage(message, data, format, isState)
  } catch (error) {
    if (!isA(UnwieldyJsonError, error)) throw error
    return { message, data, reading: {}, progress: undefined, isUnwieldy: true }
  }
}

/** @throws UnwieldyJsonError if the message within the data would take too much memory */
function interpretMessage(message: Message, data: unknown, format: CompleteFormat, isState: boolean): ReadFrame {
  const read = isObject(data) ? format.readMessage(data as JsonObject, message.event) : {}
  const reading = isState || isAside(message.event, data) ? withoutError(read) : read
  const progress = isObject(data) ? format.progressIn(data, message.event) : undefined
  const error = reading.error ?? errorOf(message, data, format, isState)
  return { message, data, reading: error === undefined ? reading : withError(reading, error, message, data), progress }
}

/** What is reported of something else is no error of this answer. */
export function withoutError({ error, ...reading }: ParsedMessage): Reading {
  return { ...reading, reportsOnAnother: true }
}

function withError(reading: Reading, error: string, { event }: Message, data: unknown): Reading {
  return { ...reading, error, errorStatus: statusOfError(data, event) }
}

/** Records how far a message brings its stream. What it reports is still to be added. */
export function advanceBy(
  { message, data, progress, reading }: ReadFrame,
  format: CompleteFormat,
  accumulator: UsageAccumulator,
  now: number,
): void {
  accumulator.hasMessages = true
  if (progress) accumulator.advance(progress, reading, now)
  else if (answersInObjects(format)) accumulator.noteUnknown(data, saidWithoutAnswer(data, message.data))
  // In an unknown protocol, nothing shows what is content.
  else if (format.isGuess && !accumulator.isRecognised) accumulator.contentAt = now
}

/** Returns the error that a message reports, in its framing or in its data. */
function errorOf(
  { event, data: text, isError }: Message,
  data: unknown,
  format: CompleteFormat,
  isState: boolean,
): string | undefined {
  const said = isAside(event, data) ? undefined : saidErrorIn(data, format, isState)
  if (said !== undefined) return said
  if (isError) return event ?? 'an error'
  // A transcription may consist of texts.
  const isMessage = answersInObjects(format) || (sendsObjects(format) && data !== undefined)
  const spoken = isMessage ? spokenErrorIn(data ?? text) : undefined
  if (spoken !== undefined) return spoken
  // An event of that name is an error, whatever its data.
  return isErrorEvent(event, format) ? errorText(data ?? text.slice(0, MAX_ERROR_CHARS)) : undefined
}
