import { isObject } from '../json/json.js'
import { CODE, ERROR_CODE, FIELDS_BESIDE_ERRORS, FIELDS_WITH_DETAIL, STATUS } from './error-field-names.js'
import { errorText, sentenceOf } from './error-text.js'
import { isEmpty, isError, isErrorStatus, isException, isFailureCode, SUCCESS } from './error-value.js'
import { isFailure } from './failed-finish.js'
import { textAt } from './fields.js'
import type { JsonObject } from './format.js'
import { HEADS, REASON_FIELDS } from './no-answer.js'

/** Returns the error of a message that has a code and a text, or a `detail`, at its top level. */
export function topLevelErrorIn(message: JsonObject): string | undefined {
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

/** Returns the sentence of a message that reports a failure. */
function failureInWords(message: JsonObject): string | undefined {
  const sentence = sentenceOf(message)
  return sentence !== undefined && !SUCCESS.test(sentence) && reportsFailure(message) ? sentence : undefined
}

/** Returns whether a message can only be a failure, although it does not say what failed. */
function failsWithoutWords(message: JsonObject): boolean {
  const hasStatus = Object.keys(message).some((field) => STATUS.test(field) && isErrorStatus(message[field]))
  const hasCode = Object.keys(message).some((field) => ERROR_CODE.test(field) && isFailureCode(message[field]))
  const hasReason = REASON_FIELDS.some((field) => isFailure(textAt(message, field) ?? ''))
  return hasReason || hasStatus || hasCode || isFailedState(message) || saysNo(message) || isException(message.__type)
}

/** Returns whether a message only says that something failed. A job has an id, and more: somebody asked for its state. */
function isFailedState(message: JsonObject): boolean {
  const isAlone = Object.keys(message).every(
    (field) => field === 'state' || FIELDS_BESIDE_ERRORS.has(field) || isEmpty(message[field]),
  )
  return isAlone && (isWordForFailure(message.state) || isWordForFailure(message.status))
}

function isWordForFailure(value: unknown): boolean {
  return typeof value === 'string' && /^(?:error|exception|fail(?:ed|ure)?|time(?:d_?)?_?out)$/i.test(value)
}

function saysNo(message: JsonObject): boolean {
  return Object.entries(message).some(([field, value]) => {
    if (value === false || value === 'false') return SUCCEEDED.test(field)
    return value === true && FAILED.test(field)
  })
}

/** `ok`, `isSuccess`, `successful`. */
const SUCCEEDED = /^(?:is_?)?(?:ok|success(?:ful)?|succeeded)$/i

/** `isError`, `has_error`, `failed`. */
const FAILED = /^(?:is_?|has_?)?(?:err(?:or)?|fail(?:ed|ure)?|time(?:d_?)?_?out|exception)$/i

/** Returns whether a message says by a word, a number or a flag that something failed. */
export function reportsFailure(message: JsonObject): boolean {
  const { status, state, type, result } = message
  const isFailureStatus = typeof status === 'number' ? status >= 400 : isErrorStatus(status)
  const isSaid =
    isFailureStatus || [status, state, result].some(isWordForFailure) || saysNo(message) || isException(type)
  return isSaid || Object.keys(message).some((field) => CODE.test(field) && isFailureCode(message[field]))
}
