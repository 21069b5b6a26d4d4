/** What went wrong, in one line, for people. */
export function explain(error) {
  if (error.name === 'AbortError') return 'Stopped.'
  if (error instanceof TypeError) return 'The app cannot be reached. Is it still running?'
  return error.message
}

/** The same for a response that is not OK. */
export async function describeResponse(response) {
  const error = await errorIn(response)
  return `${[response.status, response.statusText].join(' ').trim()}: ${describeError(error)}`
}

/** The error in the body of a response that is not OK: an object, as the providers send it, or a text. */
export async function errorIn(response) {
  const body = await response.text()
  try {
    return JSON.parse(body).error
  } catch {
    return body.trim()
  }
}

/** The code of an error object: in the protocols of OpenAI and Anthropic it has one, in that of Gemini a reason. */
export function codeOf(error) {
  const reason = error?.details?.find(({ reason }) => reason)?.reason
  return reason ?? error?.code ?? error?.type
}

/** An error object as the providers send it, or a text, in one line. */
export function describeError(error) {
  if (!error) return 'no reason was given.'
  if (typeof error === 'string') return error.slice(0, 500)
  const code = codeOf(error)
  return code ? `${error.message} (${code})` : error.message
}
