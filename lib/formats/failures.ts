import { isObject } from '../json/json.js'
import { listAt, textAt, valueAt } from './fields.js'
import type { JsonObject } from './format.js'

/** Returns a server-sent event without a name. */
export function dataEvent(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

/**
 * Returns whether a body has an error under `error`. `null` and `""` are not errors; neither is `{}` next to other
 * fields.
 */
export function hasError(body: unknown): boolean {
  const error = valueAt(body, 'error')
  // `{"error":{}}` alone is an error without details.
  return isError(error) || (isObject(error) && Object.keys(body as object).length === 1)
}

/** Returns the text of the error under `error`; `undefined` if there is none. */
export function errorIn(message: unknown): string | undefined {
  return hasError(message) ? errorText(valueAt(message, 'error')) : undefined
}

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
 * - any of these in `data`, `result`, `response` or the like, if there is nothing else
 * - `{"message":"Internal server error"}` and nothing else (AWS's API Gateway), if the text says so
 * - `{"errorMessage":…,"errorType":…}` (AWS Lambda: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html)
 * - `{"detail":…}` without an answer next to it (FastAPI), and `{"errors":…}` with a text or an object (Rails)
 */
export function anyErrorIn(body: unknown): string | undefined {
  const message = itemOf(body)
  if (!isObject(message)) return undefined
  const inner = wrappedIn(message)
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
  if (hasError(message)) return errorText(message.error)
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
  if (hasError(message)) return hasPictures(message) ? undefined : errorText(message.error)
  if (KINDS.some((field) => isWordForError(message[field]))) return errorText(message)
  const listed = [...listAt(message, 'errors'), ...listAt(message, 'Errors')].find((error) => isError(error))
  if (listed !== undefined && !hasChoices(message)) return errorText(listed)
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
  if (enclosed !== undefined) return errorText(enclosed)
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

/** Names of fields that hold an error, or one of its texts. */
const ERROR_NAME =
  /^(?:err(?:or)?|failure|fault|exception)s?_?(?:message|msg|text|description|reason|details?|info)?$|exception$/i

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
  return name !== undefined && isAlone ? errorText(message[name]) : undefined
}

const MAX_ERROR_FIELDS = 20

/** Fields that say what a message is, or how grave. */
const TYPES = ['type', 'object', 'event', 'kind']
const KINDS = [...TYPES, 'level', 'severity']

function isWordForError(value: unknown): boolean {
  return typeof value === 'string' && /^(?:error|fatal)$/i.test(value)
}

/** Fields in which servers say how the request went, next to the answer. */
const HEADS = ['header', 'head', 'status', 'meta']

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

const WRAPPERS = new Set(['data', 'result', 'response', 'body', 'payload', 'metadata'])

/** Where gateways have an error that is never part of an answer. */
const ENCLOSED: readonly (readonly string[])[] = [
  ['ResponseMetadata', 'Error'],
  ['Response', 'Error'],
  ['Error'],
  ['ErrorMsg'],
  ['fault', 'faultstring'],
]

/** AWS gives each exception, and some parts of answers, the name of its type. */
const EXCEPTION = /#Unknown|(?:exception|error|fault|failure)$/i

/** What the bytes of every error have that {@link anyErrorIn} or a format finds in a whole answer. */
const ERROR_MARKS =
  /err(?:or|_?msg|")|fail|exception|fatal|"fault"|"__type"|"base_resp"|"detail"|(?:message|msg|desc)"\s*:\s*"|time(?:d_?)?_?out"|"(?:success|ok)"\s*:\s*"?false|status(?:_?code)?"\s*:\s*"?[45]\d\d\b|^\s*[^{[\s]/i

/** Returns whether the bytes of a JSON answer may report an error: if not, it need not be parsed to find one. */
export function mayReportError(json: Buffer): boolean {
  return ERROR_MARKS.test(json.toString('latin1'))
}

const WORDLESS = 'The provider says that it failed'

/** Returns the text of an error: the error itself if it is a string, or one of its fields. */
export function errorText(error: unknown): string {
  if (typeof error === 'string' && error !== '') return error
  for (const field of [...MESSAGE_FIELDS, 'detail', 'title', 'body', 'code', 'type', '__type']) {
    const said = textAt(error, field)
    if (said) return said
  }
  return WORDLESS
}

/**
 * Returns whether a finish reason reports a failure: OpenRouter's `error`, Cohere's `ERROR`, `ERROR_TOXIC` and
 * `TIMEOUT` (https://docs.cohere.com/reference/chat), Zhipu's `network_error`
 * (https://docs.z.ai/api-reference/llm/chat-completion), the responses API's `failed`, DeepSeek's
 * `insufficient_system_resource` (https://api-docs.deepseek.com/api/create-chat-completion), and `abort` of vLLM and SGLang,
 * which have stopped the model themselves.
 */
export function isFailure(finishReason: string): boolean {
  const reason = finishReason.slice(0, MAX_REASON_CHARS)
  return /^(?!no_|tool_)(?:\w+_)?error(?:_\w+)?$|^(?:\w+_)?(?:timeout|overloaded|unavailable)$|^(?:failed|abort(?:ed)?|exception|failure|insufficient_system_resource)$/i.test(
    reason,
  )
}

const MAX_REASON_CHARS = 64

/** Returns the error of a message that has a code and a text, or a `detail`, at its top level. */
function topLevelErrorIn(message: JsonObject): string | undefined {
  const parts = [message, ...HEADS.map((field) => message[field])]
  const inWords = parts.map((part) => (isObject(part) ? failureInWords(part) : undefined)).find(Boolean)
  if (inWords !== undefined) return inWords
  if (sentenceOf(message) === undefined && failsWithoutWords(message)) return errorText(message)
  if (!Object.keys(message).every((field) => FIELDS_WITH_DETAIL.has(field))) return undefined
  const { detail, errors } = message
  if (typeof errors !== 'number' && isError(errors)) return errorText(errors)
  if (typeof detail === 'number' || !isError(detail)) return undefined
  const first = Array.isArray(detail) ? (detail as readonly unknown[])[0] : detail
  return textAt(first, 'error') ?? textAt(first, 'error', 'message') ?? errorText(first)
}

/** Names of fields with a sentence about how it went. */
export const MESSAGE_FIELDS: readonly string[] = [
  ...['message', 'Message', 'msg', 'error_msg', 'errorMsg', 'error_message', 'errorMessage', 'error_description'],
  ...['errmsg', 'err_msg', 'Msg', 'resultMsg', 'return_msg'],
]
const FIELDS_WITH_DETAIL = new Set(
  'detail errors status status_code code title type instance request_id traceId'.split(' '),
)
const FIELDS_BESIDE_ERRORS = new Set([
  ...[...FIELDS_WITH_DETAIL, ...MESSAGE_FIELDS, 'error_code', 'errorCode', 'error_type', 'errorType', 'success', 'ok'],
  ...['param', 'reason', 'requestId', 'RequestId', 'trace_id', 'timestamp', 'path'],
])
const SUCCESS = /^(?:0+|2\d\d|ok|success|succeeded|none|null)?$/i

/** Returns the sentence in which a message says how it went. */
export function sentenceOf(message: JsonObject): string | undefined {
  const names = [...MESSAGE_FIELDS, ...Object.keys(message).filter((field) => SENTENCE.test(field))]
  return names.map((field) => textAt(message, field)).find(Boolean)
}

/** The same in all the ways in which words are joined. */
const SENTENCE = /^(?:(?:err(?:or)?|status|ret(?:urn)?|result|resp(?:onse)?)_?)?(?:msg|message|desc)$/i

/** Returns the sentence of a message that reports a failure. */
function failureInWords(message: JsonObject): string | undefined {
  const sentence = sentenceOf(message)
  return sentence !== undefined && !SUCCESS.test(sentence) && reportsFailure(message) ? sentence : undefined
}

/** Returns whether a message can only be a failure, although it does not say what failed. */
function failsWithoutWords(message: JsonObject): boolean {
  const hasStatus = Object.keys(message).some((field) => STATUS.test(field) && isErrorStatus(message[field]))
  const hasCode = Object.keys(message).some((field) => ERROR_CODE.test(field) && isFailureCode(message[field]))
  return hasStatus || hasCode || isFailedState(message) || saysNo(message) || isException(message.__type)
}

/** Returns whether nothing is said but that something failed. A job has an id, and more: somebody asked for its state. */
function isFailedState(message: JsonObject): boolean {
  const isAlone = Object.keys(message).every(
    (field) => field === 'state' || FIELDS_BESIDE_ERRORS.has(field) || isEmpty(message[field]),
  )
  return isAlone && (isWordForFailure(message.state) || isWordForFailure(message.status))
}

const STATUS = /^(?:http_?|original_?)?status(?:_?code)?$/i

function isErrorStatus(value: unknown): boolean {
  return typeof value === 'number' ? value >= 400 && value < 600 : typeof value === 'string' && /^[45]\d\d$/.test(value)
}

function isWordForFailure(value: unknown): boolean {
  return typeof value === 'string' && /^(?:error|fail(?:ed|ure)?)$/i.test(value)
}

/** Returns whether a type is that of an exception or an error: `com.amazon#ThrottlingException`, `api_error`. */
function isException(type: unknown): boolean {
  return typeof type === 'string' && EXCEPTION.test(type.slice(-MAX_TYPE_CHARS))
}

const MAX_TYPE_CHARS = 300

function saysNo(message: JsonObject): boolean {
  const saysSo = ['success', 'ok'].some((field) => message[field] === false || message[field] === 'false')
  return saysSo || Object.keys(message).some((field) => message[field] === true && FAILED.test(field))
}

/** `isError`, `has_error`, `failed`. */
const FAILED = /^(?:is_?|has_?)?(?:err(?:or)?|failed|failure|timed_?out|timeout|exception)$/i

function reportsFailure(message: JsonObject): boolean {
  const { status, state, type, result } = message
  const isFailureStatus = typeof status === 'number' ? status >= 400 : isErrorStatus(status)
  const isSaid =
    isFailureStatus || [status, state, result].some(isWordForFailure) || saysNo(message) || isException(type)
  return isSaid || Object.keys(message).some((field) => CODE.test(field) && isFailureCode(message[field]))
}

/** Names of fields with a code of how it went. */
const CODE =
  /^(?:(?:err(?:or)?|(?:http|original)?_?status|http|ret(?:urn)?|result|resp(?:onse)?)[_-]?)?code$|^(?:err(?:or)?_?no|ret|rc|http_?status|__type|error_?type)$/i
/** Those that only an error has. */
const ERROR_CODE = /^err(?:or)?[_-]?(?:code|no)$/i

/** Returns whether a code reports a failure. `0`, `200`, `"success"` and the like are codes, too. */
function isFailureCode(code: unknown): boolean {
  return (typeof code === 'number' || typeof code === 'string') && !isSuccess(code)
}

/** @param depth of the enclosing lists; a value nested deeper than any provider's errors counts as an error */
function isError(error: unknown, depth = 0): boolean {
  if (typeof error === 'string') return !isSuccess(error)
  if (typeof error !== 'object' || error === null || depth > MAX_LIST_DEPTH) return Boolean(error)
  if (Array.isArray(error)) return error.some((item) => isError(item, depth + 1))
  const said = Object.values(error).filter((value) => Boolean(value) && !isEmpty(value))
  return said.length > 0 && !said.every(isSuccess)
}

const MAX_LIST_DEPTH = 8

/** Returns whether a value reports success. An object never does, and may lack a `toString`. */
function isSuccess(value: unknown): boolean {
  return typeof value !== 'object' && SUCCESS.test(String(value))
}

/**
 * Returns whether a message has no part of an answer: answers hold objects, lists or text besides an error's own
 * fields, or say why they have ended.
 */
export function hasNoAnswer(message: JsonObject): boolean {
  if (REASON_FIELDS.some((field) => isProperEnd(message[field]))) return false
  return Object.entries(message).every(([field, value]) =>
    typeof value === 'object' ? ERROR_FIELDS.has(field) || isEmpty(value) : !(ANSWER_FIELDS.has(field) && value),
  )
}

const REASON_FIELDS = ['finish_reason', 'finishReason', 'stop_reason', 'stopReason']

function isProperEnd(reason: unknown): boolean {
  return typeof reason === 'string' && reason !== '' && !isFailure(reason)
}

const ERROR_FIELDS = new Set([
  ...['detail', 'details', 'errors', 'metadata', 'base_resp', 'trace', 'stackTrace', 'headers', 'body'],
  ...HEADS,
])
const ANSWER_FIELDS = new Set([
  'text',
  'content',
  'delta',
  'response',
  'output',
  'token',
  'completion',
  'generated_text',
])

function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0)
}
