import { addExchange } from './exchange-view.mjs'
import { Spoken } from './spoken.mjs'
import { explain, requestId, streamAnswer } from './stream.mjs'

const $ = (id) => document.getElementById(id)
const composer = $('composer')
const prompt = $('prompt')
const spoken = new Spoken($('spoken'))

const settings = await fetch('settings').then((response) => response.json())
let provider
let running // the AbortController of the answer under way

$('pages').hidden = !settings.dashboard
for (const one of settings.providers) addChoice(one)
choose(settings.providers[0])
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
  const view = addExchange(text, provider)
  const id = requestId()
  running = new AbortController()
  setBusy(true, 'Answering…')
  spoken.begin()

  let ending = 'Answer complete.'
  const onText = (piece) => {
    view.append(piece)
    spoken.add(piece)
  }
  try {
    await streamAnswer(provider, text, { id, signal: running.signal, onText })
  } catch (error) {
    ending = explain(error)
    view.problem(ending, error.name === 'AbortError')
  }

  running = undefined
  spoken.end()
  setBusy(false, ending)
  view.finish(await recordOf(id))
}

/** What the middleware recorded. The app waits a moment for the exchange to end, so one request is enough. */
async function recordOf(id) {
  const response = await fetch(`records/${encodeURIComponent(id)}`).catch(() => undefined)
  return response?.ok ? response.json() : undefined
}

function addChoice(one) {
  const label = document.createElement('label')
  const radio = document.createElement('input')
  radio.type = 'radio'
  radio.name = 'provider'
  radio.value = one.id
  radio.checked = one === settings.providers[0]
  radio.addEventListener('change', () => choose(one))
  label.append(radio, one.title)
  $('providers').append(label)
}

function choose(one) {
  provider = one
  $('answering').textContent = one.local ? `${one.name}: no key is set` : `${one.model} at ${one.name}`
  const buttons = one.examples.map((example) => {
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = example
    button.addEventListener('click', () => ask(example))
    return button
  })
  $('examples').replaceChildren($('examples').firstElementChild, ...buttons)
}

function setBusy(busy, status) {
  const onButton = document.activeElement instanceof HTMLButtonElement
  $('send').hidden = busy
  $('stop').hidden = !busy
  $('examples').disabled = busy
  $('status').textContent = status
  if (onButton) (busy ? $('stop') : $('send')).focus() // a button that was hidden or disabled would lose it
}
