import { type Framing, sse } from '../framing/index.js'
import { isObject, tryParseJson } from '../json/json.js'
import { dataEvent, hasError } from './failures.js'
import type { AnyFormatName, Format, JsonObject } from './format.js'
import type { Counting, ParsedMessage, Progress } from './message.js'
import { operationAt } from './operations.js'

/** What a format need not say, and then is not known. */
type Unknown = 'answerFields' | 'usageRequest'

/** A format with all its members: what the rest of the package reads. */
export interface CompleteFormat<Name extends AnyFormatName = AnyFormatName>
  extends Required<Omit<Format<Name>, Unknown>> {
  readonly answerFields: Format['answerFields'] | undefined
  readonly usageRequest: Format['usageRequest'] | undefined
  /** No path or option told the format: a stream of which nothing has come may be one of any protocol. */
  readonly isGuess: boolean
  /** It is the app's own. */
  readonly isCustom: boolean
  /** Framings of the app's own, by which a response's `content-type` is known first. */
  readonly ownFramings: readonly Framing[]
}

/** What a format may say beside {@link Format}: nothing that an app could use. */
interface Internals {
  readonly isGuess?: boolean
  readonly isCustom?: boolean
  readonly ownFramings?: readonly Framing[]
}

/** A format with the defaults for what it leaves out. All have one shape, for V8: their members are read for each frame. */
export function complete<Name extends AnyFormatName>(format: Format<Name> & Internals): CompleteFormat<Name> {
  const { readMessage, framings = DEFAULT_FRAMINGS, operation } = format
  return {
    name: format.name,
    readMessage,
    readAnswer: format.readAnswer ?? ((answer) => readMessage(answer, undefined)),
    readHeaders: format.readHeaders ?? saysNothing,
    textsIn: format.textsIn ?? hasNone,
    progressIn: format.progressIn ?? isMessage,
    isTerminator: format.isTerminator ?? ((frame) => isLastOf(frame, framings, readMessage)),
    usageMarker: format.usageMarker ?? '',
    counting: format.counting ?? ALL_INSIDE,
    answerFields: format.answerFields,
    framings,
    streamsSse: format.streamsSse ?? (() => framings[0] === sse),
    errorBody: format.errorBody ?? (({ message, code }) => ({ error: { message, code } })),
    isErrorBody: format.isErrorBody ?? hasError,
    errorEvent: format.errorEvent ?? dataEvent,
    endpoints: format.endpoints ?? NONE,
    requestHeaders: format.requestHeaders ?? NONE,
    streamPaths: format.streamPaths ?? NONE,
    streamsByDefault: format.streamsByDefault ?? NONE,
    modelPaths: format.modelPaths ?? NONE,
    silentPaths: format.silentPaths ?? NONE,
    maxOutputTokensPath: format.maxOutputTokensPath ?? (() => MAX_TOKENS),
    otherLimitPaths: format.otherLimitPaths ?? NONE,
    readsBothCases: format.readsBothCases ?? false,
    usageRequest: format.usageRequest,
    takesUsageRequest: format.takesUsageRequest ?? (() => true),
    operation: (path, model) => {
      const known = operationAt(path)
      return known === undefined ? (operation ? operation(path, model) : 'chat') : known.operation
    },
    provider: format.provider ?? format.name,
    isGuess: format.isGuess ?? false,
    isCustom: format.isCustom ?? false,
    ownFramings: format.ownFramings ?? NONE,
  }
}

const NONE: readonly never[] = []
const DEFAULT_FRAMINGS: readonly Framing[] = [sse]
const ALL_INSIDE: Counting = { cache: 'inside', reasoning: 'inside' }
const MAX_TOKENS = ['max_tokens']
const NOTHING = {}
const saysNothing = (): ParsedMessage => NOTHING
const hasNone = () => NONE
const isMessage = (): Progress => NOTHING

/** Whether a frame is the last one of its stream, as its message says. */
function isLastOf(frame: Buffer, framings: readonly Framing[], readMessage: Format['readMessage']): boolean {
  for (const framing of framings) {
    const message = framing.read(frame)
    if (message?.data.trim() === '[DONE]') return true
    const data = message && tryParseJson(message.data)
    if (isObject(data)) return readMessage(data as JsonObject, message?.event).isLast === true
  }
  return false
}
