/** What went wrong, in one line, for people. */
export function explain(error) {
  if (error.name === 'AbortError') return 'Stopped.'
  if (error instanceof TypeError) return 'The app cannot be reached. Is it still running?'
  return error.message
}

/** The same for a response that is not OK. */
export async function describeResponse(response) {
  const body = await response.text()
  let error
  try {
    error = JSON.parse(body).error
  } catch {
    error = body.trim()
  }
  return `${[response.status, response.statusText].join(' ').trim()}: ${describeError(error)}`
}

/** An error object as the providers send it, or a text, in one line. */
export function describeError(error) {
  if (!error) return 'no reason was given.'
  if (typeof error === 'string') return error.slice(0, 500)
  const reason = error.details?.find(({ reason }) => reason)?.reason
  const code = reason ?? error.code ?? error.type
  return code ? `${error.message} (${code})` : error.message
}
