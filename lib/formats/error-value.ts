/** @param depth of the enclosing lists; a value nested deeper than any provider's errors counts as an error */
export function isError(error: unknown, depth = 0): boolean {
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

export const SUCCESS = /^(?:0+|2\d\d|ok|success|succeeded|none|null)?$/i

/** Returns whether a code reports a failure. `0`, `200`, `"success"` and the like are codes, too. */
export function isFailureCode(code: unknown): boolean {
  return (typeof code === 'number' || typeof code === 'string') && !isSuccess(code)
}

export function isErrorStatus(value: unknown): boolean {
  return typeof value === 'number' ? value >= 400 && value < 600 : typeof value === 'string' && /^[45]\d\d$/.test(value)
}

export function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0)
}

/** AWS gives each exception, and some parts of answers, the name of its type. */
export const EXCEPTION = /#Unknown|(?:exception|error|fault|failure)$/i

/** Returns whether a type is that of an exception or an error: `com.amazon#ThrottlingException`, `api_error`. */
export function isException(type: unknown): boolean {
  return typeof type === 'string' && EXCEPTION.test(type.slice(-MAX_TYPE_CHARS))
}

const MAX_TYPE_CHARS = 300
