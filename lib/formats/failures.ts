import { isObject } from '../json/json.js'
import { listAt, textAt, valueAt } from './fields.js'
import type { JsonObject } from './format.js'

/** A server-sent event without a name. */
export function dataEvent(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

/** Whether a body has an error under `error`. `null`, `""` and, beside an answer, `{}` are none. */
export function hasError(body: unknown): boolean {
  const error = valueAt(body, 'error')
  // Where there is nothing else, it is one that says nothing.
  return saysError(error) || (isObject(error) && Object.keys(body as object).length === 1)
}

/** What stands under `error`, in a sentence; `undefined` where nothing does. */
export function errorIn(message: unknown): string | undefined {
  return hasError(message) ? sentenceOf(valueAt(message, 'error')) : undefined
}

/**
 * The error that a message says in whatever spelling, in a sentence: servers that speak another's protocol have their own.
 *
 * - `{"error":…}` and `{"errors":[…]}`
 * - `{"type":"error",…}`, `{"object":"error",…}` (vLLM, Mistral)
 * - `{"base_resp":{"status_code":1008,"status_msg":…}}`: https://platform.minimax.io/docs/api-reference/errorcode
 * - `{"code":"Throttling","message":…}` with no answer beside it:
 *   https://www.alibabacloud.com/help/en/model-studio/error-code
 * - `{"detail":…}` with no answer beside it (FastAPI)
 */
export function anyErrorIn(body: unknown): string | undefined {
  let message = body
  // In a loop: lists may be nested deeper than the stack is.
  while (Array.isArray(message) && message.length === 1) message = message[0]
  if (!isObject(message)) return undefined
  if (hasError(message)) return sentenceOf(message.error)
  if (message.type === 'error' || message.object === 'error') return sentenceOf(message)
  const listed = listAt(message, 'errors').find((error) => saysError(error))
  if (listed !== undefined) return sentenceOf(listed)
  const base = valueAt(message, 'base_resp')
  if (isFailureCode(valueAt(base, 'status_code'))) return textAt(base, 'status_msg') ?? sentenceOf(base)
  return answersNothing(message) ? bareErrorIn(message) : undefined
}

/** What an error says: it is a sentence itself, or has one. */
export function sentenceOf(error: unknown): string {
  if (typeof error === 'string' && error !== '') return error
  for (const field of [...SENTENCES, 'detail', 'code', 'type']) {
    const said = textAt(error, field)
    if (said) return said
  }
  return 'The provider says that it failed'
}

/** Whether a finish reason says a failure: OpenRouter's `error`, Cohere's `ERROR`, the responses API's `failed`. */
export function isFailure(finishReason: string): boolean {
  return /^(?:error|failed)$/i.test(finishReason)
}

/** A code and a sentence, or a detail, at the top of a message. */
function bareErrorIn(message: JsonObject): string | undefined {
  const sentence = SENTENCES.map((field) => textAt(message, field)).find(Boolean)
  if (sentence !== undefined && !SUCCESS.test(sentence) && saysFailure(message)) return sentence
  if (!Object.keys(message).every((field) => BESIDE_DETAIL.has(field))) return undefined
  return textAt(message, 'detail') ?? textAt(message, 'detail', 'message') ?? textAt(message, 'detail', 0, 'msg')
}

const SENTENCES = ['message', 'Message', 'msg', 'error_msg', 'error_message', 'error_description']
const BESIDE_DETAIL = new Set(['detail', 'status', 'status_code', 'code', 'title', 'type', 'instance', 'request_id'])
const SUCCESS = /^(?:0|2\d\d|ok|success|succeeded|none|null)?$/i

function saysFailure({ status, success, ...message }: JsonObject): boolean {
  const isFailureStatus =
    typeof status === 'number'
      ? status >= 400
      : typeof status === 'string' && /^(?:error|fail(?:ed|ure)?)$/i.test(status)
  return isFailureStatus || success === false || CODES.some((field) => isFailureCode(message[field]))
}

const CODES = ['code', 'error_code', 'errorCode', 'status_code', 'statusCode']

/** `0`, `200`, `"success"` and the like are codes, too. */
function isFailureCode(code: unknown): boolean {
  return (typeof code === 'number' || typeof code === 'string') && !isSuccess(code)
}

/** @param depth of the lists around it; what stands deeper than any provider's errors do is one */
function saysError(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > DEEPEST_LIST) return Boolean(error)
  if (Array.isArray(error)) return error.some((item) => saysError(item, depth + 1))
  const said = Object.values(error).filter((value) => Boolean(value) && !isEmpty(value))
  return said.length > 0 && !said.every(isSuccess)
}

const DEEPEST_LIST = 8

/** Whether a value says that nothing failed. An object says more than that, and may have no `toString` to ask. */
function isSuccess(value: unknown): boolean {
  return typeof value !== 'object' && SUCCESS.test(String(value))
}

/** What an answer says stands in objects, lists, or text; beside an error's own fields there is none of it. */
function answersNothing(message: JsonObject): boolean {
  return Object.entries(message).every(([field, value]) =>
    typeof value === 'object' ? OF_ERRORS.has(field) || isEmpty(value) : !(OF_ANSWERS.has(field) && value),
  )
}

const OF_ERRORS = new Set(['detail', 'details', 'errors', 'metadata', 'base_resp'])
const OF_ANSWERS = new Set(['text', 'content', 'delta', 'response', 'output', 'token', 'completion', 'generated_text'])

function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0)
}
