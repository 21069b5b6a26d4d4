import { AiProxyError, isA } from '../api/errors.js'

/** Returns whether a hook rejected the request by throwing an error with a status, which is not a bug. */
export function isRejection(thrown: unknown): boolean {
  return isA(AiProxyError, thrown) || toRejection(thrown) !== thrown
}

/**
 * Converts what a hook threw to an error. `http-errors` and the like carry a status, and say whether to expose the
 * message.
 */
export function toRejection(thrown: unknown): unknown {
  if (isA(AiProxyError, thrown)) return thrown
  try {
    return withStatus(thrown) ?? thrown
  } catch {
    // An error whose status cannot be read is not a rejection: some HTTP clients' errors have getters that throw
    // without a response.
    return thrown
  }
}

function withStatus(thrown: unknown): AiProxyError | undefined {
  const { status, statusCode, expose, message } = Object(thrown) as Record<string, unknown>
  const wanted = (status ?? statusCode) as number
  if (!Number.isInteger(wanted) || wanted < 400 || wanted > 599) return undefined
  const isShown = expose === undefined ? wanted < 500 : expose === true
  const text = isShown && typeof message === 'string' && message !== '' ? message : 'The request was refused'
  return new AiProxyError('request_refused', text, { cause: thrown, status: wanted })
}
