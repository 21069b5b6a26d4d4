import { isObject } from '../json/json.js'
import { textAt } from './fields.js'
import type { JsonObject } from './format.js'

/** Returns the text of an error, or of the first of several: the error itself if it is a string, or one of its fields. */
export function errorText(errors: unknown): string {
  let error = errors
  // A loop, not recursion: lists may be nested deeper than the stack allows.
  while (Array.isArray(error)) error = error[0]
  if (typeof error === 'string' && error !== '') return error
  for (const field of [...MESSAGE_FIELDS, 'detail', 'title', 'body', 'code', 'type', '__type']) {
    const said = textAt(error, field)
    if (said) return said
  }
  return WORDLESS
}

/** Returns the text of a message's error. If the error is a mere flag or number, the message may have the sentence. */
export function errorTextIn(message: unknown, error: unknown): string {
  const text = errorText(error)
  if (text !== WORDLESS || !isObject(message)) return text
  return sentenceOf(message) ?? textAt(message, 'detail') ?? text
}

export const WORDLESS = 'The provider says that it failed'

/** Names of fields with a sentence about how it went. */
export const MESSAGE_FIELDS: readonly string[] = [
  ...['message', 'Message', 'msg', 'error_msg', 'errorMsg', 'error_message', 'errorMessage', 'error_description'],
  ...['errmsg', 'err_msg', 'Msg', 'resultMsg', 'return_msg'],
]

/** Returns the sentence in which a message says how it went. */
export function sentenceOf(message: JsonObject): string | undefined {
  const names = [...MESSAGE_FIELDS, ...Object.keys(message).filter((field) => SENTENCE.test(field))]
  return names.map((field) => textAt(message, field)).find(Boolean)
}

/** The same in all the ways in which words are joined. */
export const SENTENCE = /^(?:(?:err(?:or)?|status|ret(?:urn)?|result|resp(?:onse)?)_?)?(?:msg|message|desc)$/i
