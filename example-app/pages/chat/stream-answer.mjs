import { codeOf, describeError, errorIn } from '../shared/failure.mjs'
import { serverSentEvents } from '../shared/server-sent-events.mjs'
import { resumable } from '../vendor/client.mjs'
import { protocols } from './protocols.mjs'
import { QuotaExceeded } from './quota-exceeded.mjs'

/** So often the connection is tried again: it takes about the minute for which the app lets the provider go on. */
const RETRIES = 20
/** The same for a stop. */
const STOP_TRIES = 60
const STOP_AGAIN_MS = 1000
const UNREADABLE = 'The provider sent an event that cannot be read.'

/**
 * Sends a conversation to a provider's route and hands each piece of the answer to `onText`. Throws unless the answer is
 * complete. A connection that is lost is not the end of it: the answer continues, and `onLost` and `onContinued` are
 * called before and after. To abort the signal stops the provider.
 *
 * `onStream` is called when the answer begins, with the state that {@link continueAnswer} needs if the page is reloaded, and how
 * many seconds ago the cache got the answer (`undefined` if it comes from the provider). The state is `undefined` if the answer
 * cannot be continued. It is kept up to date, in step with `onText`.
 */
export async function streamAnswer(provider, parameters, messages, { id, onStream, ...reading }) {
  const protocol = protocols[provider.id]
  const response = await resumableFetch(provider, reading)(`..${provider.route}${protocol.path(parameters)}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': id, ...protocol.headers },
    body: JSON.stringify(protocol.body(parameters, messages)),
    signal: reading.signal,
  })
  if (!response.ok) throw await refusalIn(response)
  const type = response.headers.get('content-type')?.split(';')[0].trim().toLowerCase()
  if (type !== 'text/event-stream')
    throw new Error(`The provider did not answer with a stream, but with ${type || 'no type'}.`)
  const stream = { id: response.headers.get('x-stream-id'), requestId: id, after: '' }
  const cachedFor = response.headers.get('x-cache') === 'hit' ? Number(response.headers.get('age')) : undefined
  onStream(stream.id ? stream : undefined, { cachedFor })
  await read(response.body, protocol, stream, reading)
}

/** Continues an answer where the page that asked for it had come to: `stream` is what `onStream` got. */
export async function continueAnswer(provider, stream, reading) {
  const protocol = protocols[provider.id]
  const url = new URL(stream.id, streamsUrlOf(provider))
  if (stream.after) url.searchParams.set('after', stream.after)
  const response = await resumableFetch(provider, reading)(url.href, { signal: reading.signal })
  if (!response.ok) throw new Error(`The answer cannot be continued: ${describeError(await errorIn(response))}`)
  await read(response.status === 204 ? undefined : response.body, protocol, stream, reading)
}

/** Stops an answer whose connection is lost: tells the app as soon as it can be reached. */
export async function stopAnswer(provider, stream) {
  const url = new URL(stream.id, streamsUrlOf(provider))
  for (let tries = 0; tries < STOP_TRIES; tries++) {
    const response = await fetch(url, { method: 'DELETE' }).catch(() => undefined)
    if (response) return
    await new Promise((resolve) => setTimeout(resolve, STOP_AGAIN_MS))
  }
}

function resumableFetch(provider, { onLost, onContinued }) {
  return resumable(fetch, {
    retries: RETRIES,
    // The app may be below a path that a reverse proxy adds.
    streamsUrl: streamsUrlOf(provider),
    onInterrupted: ({ offline }) => onLost({ offline }),
    onResumed: () => onContinued(),
  })
}

function streamsUrlOf(provider) {
  return new URL(`..${provider.route}/-/streams/`, location.href).href
}

/** Reads to the end even after an error event or the last one: leaving early would count as a disconnect. */
async function read(body, protocol, stream, { onText }) {
  for await (const { data, id } of body ? serverSentEvents(body) : []) {
    const { failure, isLast, piece } = contentOf(data, protocol)
    if (failure) stream.failure = failure
    if (isLast) stream.isComplete = true
    if (piece) onText(piece)
    stream.after = id
  }
  if (stream.failure) throw new Error(stream.failure)
  if (!stream.isComplete) throw new Error('The connection ended before the provider said that it was done.')
}

/** What an event says. One that cannot be read is a failure of the provider's; what comes after it is shown all the same. */
function contentOf(data, protocol) {
  if (data === '[DONE]') return { isLast: protocol.isLast({}, data) }
  try {
    const event = JSON.parse(data)
    const piece = protocol.textOf(event)
    if (typeof (piece ?? '') !== 'string') return { failure: UNREADABLE }
    return { failure: event.error && describeError(event.error), isLast: protocol.isLast(event, data), piece }
  } catch {
    return { failure: UNREADABLE }
  }
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
