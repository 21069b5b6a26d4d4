import { type Framing, sse } from '../framing/index.js'
import { isObject, tryParseJson } from '../json/json.js'
import { dataEvent } from './data-event.js'
import { hasError } from './error-field.js'
import type { AnyFormatName, Format, JsonObject } from './format.js'
import type { Counting, ParsedMessage, Progress } from './message.js'
import { operationAt } from './operations.js'
import type { FieldPath } from './output-limits.js'
import { sharedNoRetryHeaders } from './shared-headers.js'

/** Members of a format that have no default. */
type WithoutDefault = 'answerFields' | 'continuationField' | 'usageRequest'

/** A format with all its members, as the rest of the package reads it. */
export interface CompleteFormat<Name extends AnyFormatName = AnyFormatName>
  extends Required<Omit<Format<Name>, WithoutDefault>> {
  readonly answerFields: Format['answerFields'] | undefined
  readonly continuationField: Format['continuationField'] | undefined
  readonly usageRequest: Format['usageRequest'] | undefined
  /**
   * Neither a path nor an option determined the format. A stream of which nothing has arrived may then be of any
   * protocol.
   */
  readonly isGuess: boolean
  /** The app defined it. */
  readonly isCustom: boolean
  /** Fields of a request that repeat the model that its path names. */
  readonly modelCopyPaths: readonly FieldPath[]
  /** Framings that the app defined. A response's `content-type` is compared with these first. */
  readonly ownFramings: readonly Framing[]
}

/** Returns whether all messages of a stream are JSON objects, so that a text in the place of one is not the model's. */
export function sendsObjects({ isGuess, isCustom }: CompleteFormat): boolean {
  return !isGuess && !isCustom
}

/** Returns whether the answers that are not streams are JSON objects as well. A transcription may be a mere text. */
export function answersInObjects(format: CompleteFormat): boolean {
  return sendsObjects(format) && format.name !== 'openai-media'
}

/** Members in addition to those of {@link Format}, for which an app has no use. */
interface Internals {
  readonly isGuess?: boolean
  readonly isCustom?: boolean
  readonly modelCopyPaths?: readonly FieldPath[]
  readonly ownFramings?: readonly Framing[]
}

/** Fills in the defaults of a format, so that every result has all members. */
export function complete<Name extends AnyFormatName>(format: Format<Name> & Internals): CompleteFormat<Name> {
  const { readMessage, framings = DEFAULT_FRAMINGS, operation } = format
  return {
    name: format.name,
    readMessage,
    readAnswer: format.readAnswer ?? ((answer) => readMessage(answer, undefined)),
    readHeaders: format.readHeaders ?? readNothing,
    textsIn: format.textsIn ?? findNone,
    progressIn: format.progressIn ?? isMessage,
    isTerminator: format.isTerminator ?? ((frame) => isLastOf(frame, framings, readMessage)),
    usageMarker: format.usageMarker ?? '',
    counting: format.counting ?? ALL_INSIDE,
    answerFields: format.answerFields,
    modelFields: format.modelFields ?? NONE,
    framings,
    streamsSse: format.streamsSse ?? (() => framings[0] === sse),
    errorBody: format.errorBody ?? (({ message, code }) => ({ error: { message, code } })),
    noRetryHeaders: format.noRetryHeaders ?? sharedNoRetryHeaders,
    isErrorBody: format.isErrorBody ?? hasError,
    errorEvent: format.errorEvent ?? dataEvent,
    endpoints: format.endpoints ?? NONE,
    requestHeaders: format.requestHeaders ?? NONE,
    requestIdHeaders: format.requestIdHeaders ?? NONE,
    responseHeaders: format.responseHeaders ?? NONE,
    streamPaths: format.streamPaths ?? NONE,
    streamsByDefault: format.streamsByDefault ?? NONE,
    modelPaths: format.modelPaths ?? NONE,
    continuationField: format.continuationField,
    answerPaths: format.answerPaths ?? NONE,
    silentPaths: format.silentPaths ?? NONE,
    maxOutputTokensPath: format.maxOutputTokensPath ?? (() => MAX_TOKENS),
    otherLimitPaths: format.otherLimitPaths ?? NONE,
    readsBothCases: format.readsBothCases ?? false,
    usageRequest: format.usageRequest,
    fieldsWithoutEffect: format.fieldsWithoutEffect ?? format.usageRequest?.slice(0, 1) ?? NONE,
    headersWithoutEffect: format.headersWithoutEffect ?? NONE,
    takesUsageRequest: format.takesUsageRequest ?? (() => true),
    operation: (path, model) => {
      const known = operationAt(path)
      return known === undefined ? (operation ? operation(path, model) : 'chat') : known.operation
    },
    provider: format.provider ?? format.name,
    isGuess: format.isGuess ?? false,
    isCustom: format.isCustom ?? false,
    modelCopyPaths: format.modelCopyPaths ?? MODEL,
    ownFramings: format.ownFramings ?? NONE,
  }
}

const NONE: readonly never[] = []
const DEFAULT_FRAMINGS: readonly Framing[] = [sse]
const ALL_INSIDE: Counting = { cache: 'inside', reasoning: 'inside' }
const MAX_TOKENS = ['max_tokens']
const MODEL: readonly FieldPath[] = [['model']]
const NOTHING = {}
const readNothing = (): ParsedMessage => NOTHING
const findNone = () => NONE
const isMessage = (): Progress => NOTHING

/** Returns whether a frame is the last one of its stream, according to its message. */
function isLastOf(frame: Buffer, framings: readonly Framing[], readMessage: Format['readMessage']): boolean {
  for (const framing of framings) {
    const message = framing.read(frame)
    if (message?.data.trim() === '[DONE]') return true
    const data = message && tryParseJson(message.data)
    if (isObject(data)) return readMessage(data as JsonObject, message?.event).isLast === true
  }
  return false
}
