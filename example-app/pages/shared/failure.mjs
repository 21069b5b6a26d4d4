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
    return JSON.parse(body).error ?? body.trim()
  } catch {
    return body.trim()
  }
}

/** The code of an error object: in the protocols of OpenAI and Anthropic it has one, in that of Gemini a reason. */
export function codeOf(error) {
  const details = Array.isArray(error?.details) ? error.details : []
  const reason = details.find((detail) => detail?.reason)?.reason
  return reason ?? error?.code ?? error?.type
}

/** More than this of what a provider says is in nobody's interest. */
const LONGEST = 500

/** An error as the providers send it, an object or a text, for people. */
export function describeError(error) {
  const message = typeof error === 'string' ? error : error?.message
  const code = typeof error === 'string' ? undefined : codeOf(error)
  const said = message ? shortened(String(message)) : 'no reason was given.'
  return code ? `${said} (${shortened(String(code))})` : said
}

function shortened(text) {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}
