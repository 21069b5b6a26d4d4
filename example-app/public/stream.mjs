import { formats } from './formats.mjs'
import { serverSentEvents } from './sse.mjs'

/**
 * Sends a prompt to a provider's route and hands each piece of text to `onText`. Throws on whatever keeps the answer from
 * being whole.
 */
export async function streamAnswer(provider, text, { id, signal, base = '.', onText }) {
  const format = formats[provider.id]
  const response = await fetch(`${base}${provider.route}${format.path(provider.model)}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': id, ...format.headers },
    body: JSON.stringify(format.body(provider.model, text)),
    signal,
  })
  if (!response.ok) throw new Error(await describeFailure(response))

  // An error event and the last one are noted, but the response is read to its end: leaving early would count as a
  // disconnect.
  let failure
  let isWhole = false
  for await (const { data } of serverSentEvents(response.body)) {
    const event = data === '[DONE]' ? {} : JSON.parse(data)
    if (event.error) failure = describe(event.error)
    if (format.isLast(event, data)) isWhole = true
    const piece = format.textOf(event)
    if (piece) onText(piece)
  }
  if (failure) throw new Error(failure)
  if (!isWhole) throw new Error('The connection ended before the provider said it was done.')
}

/** An id for an exchange, so that its record can be asked for. `crypto.randomUUID` needs HTTPS; this does not. */
export function requestId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** What went wrong, in one line, for people. */
export function explain(error) {
  if (error.name === 'AbortError') return 'Stopped.'
  if (error instanceof TypeError) return `The connection to the app failed (${error.message}).`
  return error.message
}

export async function describeFailure(response) {
  const body = await response.text()
  let error
  try {
    error = JSON.parse(body).error
  } catch {
    error = body.trim()
  }
  return `${response.status} ${response.statusText}: ${describe(error)}`
}

/** An error object as the providers have it, or a text, in one line. */
function describe(error) {
  if (!error) return 'no reason was given.'
  if (typeof error === 'string') return error.slice(0, 500)
  const reason = error.details?.find(({ reason }) => reason)?.reason
  const code = reason ?? error.code ?? error.type
  return code ? `${error.message} (${code})` : error.message
}
