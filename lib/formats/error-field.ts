import { isObject } from '../json/json.js'
import { errorTextIn } from './error-text.js'
import { isError } from './error-value.js'
import { valueAt } from './fields.js'

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
  return hasError(message) ? errorTextIn(message, valueAt(message, 'error')) : undefined
}
