import { isEmpty } from './error-value.js'
import { isFailure } from './failed-finish.js'
import type { JsonObject } from './format.js'

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

/**
 * Returns whether a value says nothing at all, where an object with an answer should be: `[]`, `null`, `""`. An empty
 * object is one of a protocol's, and many stand-ins for a provider answer with it.
 */
export function isBlank(data: unknown): boolean {
  return data === '' || data === false || data === null || (Array.isArray(data) && data.length === 0)
}

export const REASON_FIELDS = ['finish_reason', 'finishReason', 'stop_reason', 'stopReason']

function isProperEnd(reason: unknown): boolean {
  return typeof reason === 'string' && reason !== '' && !isFailure(reason)
}

/** Fields in which servers say how the request went, next to the answer. */
export const HEADS = ['header', 'head', 'status', 'meta']

/** Those in which errors have objects and lists. */
export const ERROR_FIELDS = new Set([
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
