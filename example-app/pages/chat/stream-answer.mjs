import { codeOf, describeError, errorIn } from '../shared/failure.mjs'
import { serverSentEvents } from '../shared/server-sent-events.mjs'
import { protocols } from './protocols.mjs'
import { QuotaExceeded } from './quota-exceeded.mjs'

/**
 * Sends a conversation to a provider's route and hands each piece of the answer to `onText`. Throws unless the answer is
 * complete.
 */
export async function streamAnswer(provider, parameters, messages, { id, signal, onText }) {
  const protocol = protocols[provider.id]
  const response = await fetch(`..${provider.route}${protocol.path(parameters)}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': id, ...protocol.headers },
    body: JSON.stringify(protocol.body(parameters, messages)),
    signal,
  })
  if (!response.ok) throw await refusalIn(response)

  // Read to the end even after an error event or the last one: leaving early would count as a disconnect.
  let failure
  let isComplete = false
  for await (const { data } of serverSentEvents(response.body)) {
    const event = data === '[DONE]' ? {} : JSON.parse(data)
    if (event.error) failure = describeError(event.error)
    if (protocol.isLast(event, data)) isComplete = true
    const piece = protocol.textOf(event)
    if (piece) onText(piece)
  }
  if (failure) throw new Error(failure)
  if (!isComplete) throw new Error('The connection ended before the provider said that it was done.')
}

/** Why a response is not OK, as an error. */
async function refusalIn(response) {
  const error = await errorIn(response)
  const isOurQuota = response.status === 429 && /^quota_exceeded$/i.test(codeOf(error) ?? '')
  if (isOurQuota) return new QuotaExceeded(error.message, response.headers.get('retry-after'))
  return new Error(`${[response.status, response.statusText].join(' ').trim()}: ${describeError(error)}`)
}

/** The models that a provider offers; none if it does not say. */
export async function listModels(provider) {
  const protocol = protocols[provider.id]
  try {
    const response = await fetch(`..${provider.route}${protocol.modelsPath}`, { headers: protocol.headers })
    return response.ok ? protocol.modelsOf(await response.json()).sort() : []
  } catch {
    return []
  }
}

/** An id for an exchange, under which its record can be found. `crypto.randomUUID` needs HTTPS; this does not. */
export function requestId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
