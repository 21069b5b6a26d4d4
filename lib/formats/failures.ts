import { isObject } from '../json/json.js'
import { errorIn, hasError } from './error-field.js'
import { CODE, ERROR_NAME, FIELDS_BESIDE_ERRORS, STATUS } from './error-field-names.js'
import { errorText, errorTextIn, SENTENCE, WORDLESS } from './error-text.js'
import { EXCEPTION, isEmpty, isError, isFailureCode } from './error-value.js'
import { listAt, textAt, valueAt } from './fields.js'
import type { JsonObject } from './format.js'
import { ERROR_FIELDS, hasNoAnswer } from './no-answer.js'
import { topLevelErrorIn } from './top-level-error.js'

/**
 * Returns the text of the error that a message reports in any known form. Servers that speak another's protocol have
 * their own forms.
 *
 * - `{"error":…}`, and `{"errors":[…]}` without an answer next to it
 * - `{"type":"error",…}`, `{"object":"error",…}` (vLLM, Mistral), `{"event":"error",…}` (Dify), `{"level":"error",…}` (logs)
 * - `{"base_resp":{"status_code":1008,"status_msg":…}}`: https://platform.minimax.io/docs/api-reference/errorcode
 * - `{"header":{"code":10013,"message":…}}` without an answer next to it (iFlytek: https://www.xfyun.cn/doc/spark/Web.html)
 * - `{"ResponseMetadata":{"Error":{"Code":…,"Message":…}}}`: https://www.volcengine.com/docs/6369/68677; Tencent has it
 *   in `Response` (https://www.tencentcloud.com/document/api/1081/37684) or, within a stream, in `ErrorMsg`
 *   (https://cloud.tencent.com/document/api/1729/101838), AWS in `Error` alone
 * - `{"fault":{"faultstring":…}}` (Apigee: https://cloud.google.com/apigee/docs/api-platform/fundamentals/fault-handling)
 * - `{"Output":{"__type":"…#UnknownOperationException"},"Version":…}` (AWS, for a path that it does not know)
 * - `{"code":"Throttling","message":…}` without an answer next to it:
 *   https://www.alibabacloud.com/help/en/model-studio/error-code; Alibaba's gateway begins the names with capitals
 * - `{"__type":"ThrottlingException","message":…}` (AWS: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html),
 *   or without the message
 * - `{"success":false}`, `{"ok":false}`, `{"status":503,"title":…}`, `{"statusCode":500,"body":…}` without an answer next to it
 * - `{"state":"failed"}` next to nothing but other fields of errors
 * - `{"type":"invalid_request_error","message":…}` without an answer next to it: what `error` usually holds
 * - `{"throttlingException":{…}}` (AWS, as its SDKs show an exception), `{"error_message":…}`: a field that says so by its
 *   name, next to nothing but other fields of errors
 * - any of these in `data`, `result`, `response` or the like, if there is nothing else but an id, as in JSON-RPC
 * - `{"message":"Internal server error"}` and nothing else (AWS's API Gateway), if the text says so
 * - `{"errorMessage":…,"errorType":…}` (AWS Lambda: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html)
 * - `{"detail":…}` without an answer next to it (FastAPI), and `{"errors":…}` with a text or an object (Rails)
 */
export function anyErrorIn(body: unknown): string | undefined {
  const message = itemOf(body)
  if (!isObject(message)) return undefined
  const inner = answerIn(message)
  return errorOf(message) ?? (inner && errorOf(inner))
}

/**
 * Returns the text of the error that a message consists of: one that has anything else is about something that has a state
 * of its own, such as a job, or is of a protocol that is not known. A mere state or flag may be what was asked for.
 */
export function loneErrorIn(body: unknown): string | undefined {
  if (!isObject(body)) return undefined
  const message = wrappedIn(body) ?? body
  const isOfError = (field: string) => isEmpty(message[field]) || message[field] === '' || isFieldOfError(field)
  if (!Object.keys(message).every(isOfError)) return undefined
  if (hasError(message)) return errorTextIn(message, message.error)
  // Code of a program is no code of an error.
  if (typeof message.code === 'string' && !/^[\w.:/-]*$/.test(message.code)) return undefined
  const said = errorOf(message)
  return said === WORDLESS ? undefined : said
}

/** Returns the text of the error that a message of an unknown protocol reports: in `error`, or by consisting of one. */
export function likelyErrorIn(body: unknown): string | undefined {
  const message = itemOf(body)
  return errorIn(message) ?? envelopedErrorIn(message) ?? loneErrorIn(message)
}

function isFieldOfError(field: string): boolean {
  if (ERROR_NAME.test(field) || FIELDS_BESIDE_ERRORS.has(field) || ERROR_FIELDS.has(field)) return true
  if (TYPES.includes(field) || CODE.test(field) || STATUS.test(field) || SENTENCE.test(field)) return true
  return ID.test(field) || field === 'state' || field === 'result'
}

/** Ids of what failed: of a request, and of what gateways make of it. */
const ID = /^(?:request|trace|task|message|conversation|correlation|log|sequence|event)_?(?:id|number)$|^sid$/i

function errorOf(message: JsonObject): string | undefined {
  if (hasError(message)) return hasPictures(message) ? undefined : errorTextIn(message, message.error)
  if (KINDS.some((field) => isWordForError(message[field]))) return errorText(message)
  const listed = [...listAt(message, 'errors'), ...listAt(message, 'Errors')].find((error) => isError(error))
  if (listed !== undefined && !hasChoices(message)) return errorTextIn(message, listed)
  const enveloped = envelopedErrorIn(message)
  if (enveloped !== undefined) return enveloped
  return namedErrorIn(message) ?? (hasNoAnswer(message) ? topLevelErrorIn(message) : undefined)
}

/** Returns the error of an envelope that says how the request went. */
function envelopedErrorIn(message: unknown): string | undefined {
  const base = valueAt(message, 'base_resp')
  if (isFailureCode(valueAt(base, 'status_code'))) return textAt(base, 'status_msg') ?? errorText(base)
  // A number may be a result: that of a statistic, for example.
  const enclosed = ENCLOSED.map((path) => valueAt(message, ...path)).find(
    (error) => typeof error !== 'number' && isError(error),
  )
  if (enclosed !== undefined) return errorTextIn(message, enclosed)
  const type = textAt(message, 'Output', '__type')
  return type !== undefined && EXCEPTION.test(type) ? type : undefined
}

/**
 * Some of the pictures that were asked for may have been refused:
 * https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html
 */
function hasPictures(message: JsonObject): boolean {
  return !('choices' in message) && listAt(message, 'images').some(Boolean)
}

/** Next to an answer, a list of errors is of what went wrong on the way to it. */
function hasChoices(message: JsonObject): boolean {
  return listAt(message, 'choices').length > 0
}

/** Returns the error of a field that says by its name what it is, if all other fields are those of errors, too. */
function namedErrorIn(message: JsonObject): string | undefined {
  const fields = Object.keys(message)
  if (fields.length > MAX_ERROR_FIELDS) return undefined
  const name = fields.find((field) => {
    const value = message[field]
    return ERROR_NAME.test(field) && typeof value !== 'number' && isError(value)
  })
  const isOfError = (field: string) => ERROR_NAME.test(field) || FIELDS_BESIDE_ERRORS.has(field)
  const isAlone = fields.every((field) => isEmpty(message[field]) || isOfError(field))
  return name !== undefined && isAlone ? errorTextIn(message, message[name]) : undefined
}

const MAX_ERROR_FIELDS = 20

/** Fields that say what a message is, or how grave. */
const TYPES = ['type', 'object', 'event', 'kind']

const KINDS = [...TYPES, 'level', 'severity']

function isWordForError(value: unknown): boolean {
  return typeof value === 'string' && /^(?:error|fatal)$/i.test(value)
}

/** Returns the only item of a list, or what is no list. */
function itemOf(body: unknown): unknown {
  let message = body
  // A loop, not recursion: lists may be nested deeper than the stack allows.
  while (Array.isArray(message) && message.length === 1) message = message[0]
  return message
}

/** Returns the object that a message only encloses; `undefined` if there is more to it. */
function wrappedIn(message: JsonObject): JsonObject | undefined {
  const [name, ...others] = Object.keys(message)
  const inner = others.length === 0 && WRAPPERS.has(name ?? '') ? message[name!] : undefined
  return isObject(inner) ? inner : undefined
}

/** Returns the same, of a message that should be an answer, whatever its envelope says of itself. */
function answerIn(message: JsonObject): JsonObject | undefined {
  let place: string | undefined
  for (const field of Object.keys(message)) {
    if (isEmpty(message[field]) || ENVELOPE.test(field) || ID.test(field)) continue
    if (place !== undefined || !(WRAPPERS.has(field) || PLACES.has(field))) return undefined
    place = field
  }
  const inner = place === undefined ? undefined : message[place]
  return isObject(inner) ? inner : undefined
}

/** Of JSON-RPC, and the like. */
const ENVELOPE = /^(?:jsonrpc|id|version|time(?:stamp)?)$/i

/** Where an answer has what the model wrote. */
const PLACES = new Set(['output', 'message'])

const WRAPPERS = new Set(['data', 'result', 'response', 'body', 'payload', 'metadata'])

/** Where gateways have an error that is never part of an answer. */
const ENCLOSED: readonly (readonly string[])[] = [
  ['ResponseMetadata', 'Error'],
  ['Response', 'Error'],
  ['Error'],
  ['ErrorMsg'],
  ['fault', 'faultstring'],
]

/** What the bytes of every error have that {@link anyErrorIn} or a format finds in a whole answer. */
const ERROR_MARKS =
  /err(?:or|_?msg|")|fail|exception|fatal|"fault"|"__type"|"base_resp"|"detail"|(?:message|msg|desc)"\s*:\s*"|timed?[\W_]{0,2}out"|"(?:is_?)?(?:success(?:ful)?|succeeded|ok)"\s*:\s*"?false|status(?:_?code)?"\s*:\s*"?[45]\d\d\b|"(?:abort|interrupt|rate.?limit|quota|insufficient|connection)|crash|disconnect|overloaded"|unavailable"|out.?of.?memory|^\s*[^{[\s]/i

/** Returns whether the bytes of a JSON answer may report an error: if not, it need not be parsed to find one. */
export function mayReportError(json: Buffer): boolean {
  return ERROR_MARKS.test(json.toString('latin1'))
}
