import { showRecord } from './record.mjs'
import { serverSentEvents } from './sse.mjs'

const $ = (id) => document.getElementById(id)
const composer = $('composer')
const prompt = $('prompt')

const settings = await fetch('settings').then((response) => response.json())
let running // the AbortController of the answer under way

$('provider').textContent = settings.local ? settings.provider : `${settings.provider} · ${settings.model}`
$('local-note').hidden = !settings.local
for (const example of settings.examples) {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = example
  button.addEventListener('click', () => ask(example))
  $('examples').append(button)
}

if (matchMedia('(hover: hover)').matches) prompt.focus() // on a phone, the keyboard would cover the page

composer.addEventListener('submit', (event) => {
  event.preventDefault()
  const text = prompt.value.trim()
  if (text === '' || running) return
  prompt.value = ''
  ask(text)
})

prompt.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  composer.requestSubmit()
})

$('stop').addEventListener('click', () => running?.abort())
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') running?.abort()
})

/** Sends one prompt, and shows the answer, what went wrong with it, and the record. */
async function ask(text) {
  const view = addExchange(text)
  const id = requestId()
  running = new AbortController()
  setBusy(true, 'Answering…')

  let ending = 'Answer complete.'
  try {
    await stream(text, id, running.signal, (piece) => view.append(piece))
  } catch (error) {
    const stopped = error.name === 'AbortError'
    if (stopped) ending = 'Stopped.'
    else if (error instanceof TypeError) ending = `The connection to the app failed (${error.message}).`
    else ending = error.message
    view.problem(ending, stopped)
  }

  running = undefined
  setBusy(false, ending)
  view.finish(await recordOf(id))
}

/** POSTs the prompt and hands each piece of text to `onText`. Throws on whatever keeps the answer from being whole. */
async function stream(text, id, signal, onText) {
  const response = await fetch('ai/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': id },
    body: JSON.stringify({ model: settings.model, stream: true, messages: [{ role: 'user', content: text }] }),
    signal,
  })
  if (!response.ok) throw new Error(await describeFailure(response))

  // An error event and [DONE] are noted, but the response is read to its end: leaving early would count as a disconnect.
  let failure
  let done = false
  for await (const { data } of serverSentEvents(response.body)) {
    if (data === '[DONE]') {
      done = true
      continue
    }
    const event = JSON.parse(data)
    if (event.error) failure = describe(event.error)
    const piece = event.choices?.[0]?.delta?.content
    if (piece) onText(piece)
  }
  if (failure) throw new Error(failure)
  if (!done) throw new Error('The connection ended before the provider said it was done.')
}

async function describeFailure(response) {
  const body = await response.text()
  let error
  try {
    error = JSON.parse(body).error
  } catch {
    error = body.trim()
  }
  return `${response.status} ${response.statusText}: ${describe(error)}`
}

/** An error object as OpenAI's API has it, or a text, in one line. */
function describe(error) {
  if (!error) return 'no reason was given.'
  if (typeof error === 'string') return error.slice(0, 500)
  const code = error.code ?? error.type
  return code ? `${error.message} (${code})` : error.message
}

/** What the middleware recorded. The app waits a moment for the exchange to end, so one request is enough. */
async function recordOf(id) {
  const response = await fetch(`records/${encodeURIComponent(id)}`).catch(() => undefined)
  return response?.ok ? response.json() : undefined
}

function addExchange(text) {
  const article = $('exchange').content.cloneNode(true).firstElementChild
  const answer = article.querySelector('.answer')
  const problem = article.querySelector('.problem')
  article.querySelector('.prompt').textContent = text
  article.classList.add('running')
  $('exchanges').append(article)
  article.scrollIntoView({ block: 'start' })

  return {
    append(piece) {
      keepingTheEndInSight(() => answer.append(piece))
    },
    problem(message, stopped) {
      keepingTheEndInSight(() => {
        problem.textContent = message
        problem.classList.toggle('stopped', stopped)
        problem.hidden = false
        article.classList.remove('running')
      })
    },
    finish(record) {
      keepingTheEndInSight(() => {
        article.classList.remove('running')
        if (record) showRecord(article.querySelector('.record'), record)
      })
    },
  }
}

/** Scrolls along with what is added at the end, unless the reader has scrolled up. */
function keepingTheEndInSight(change) {
  const page = document.scrollingElement
  const atEnd = page.scrollHeight - page.scrollTop - page.clientHeight < 80
  change()
  if (atEnd) page.scrollTop = page.scrollHeight
}

function setBusy(busy, status) {
  const onButton = document.activeElement instanceof HTMLButtonElement
  $('send').hidden = busy
  $('stop').hidden = !busy
  $('examples').disabled = busy
  $('status').textContent = status
  if (onButton) (busy ? $('stop') : $('send')).focus() // a button that was hidden or disabled would lose it
}

/** An id for the exchange, made here so that its record can be asked for. `crypto.randomUUID` needs HTTPS; this does not. */
function requestId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
