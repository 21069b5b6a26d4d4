import { asOneOfTheStreams } from '../shared/connections.mjs'
import { describeResponse, explain } from '../shared/failure.mjs'
import { roundUp } from '../shared/line-chart.mjs'
import { serverSentEvents } from '../shared/server-sent-events.mjs'
import { figuresOf, kinds } from './kinds.mjs'
import { Panel } from './panel.mjs'

const $ = (id) => document.getElementById(id)
const names = { ours: 'express-ai-proxy', plain: 'http-proxy-middleware' }
const panels = { ours: new Panel('ours'), plain: new Panel('plain') }
let running // the AbortController of the storm under way
let pressed // the button that started it

$('options').addEventListener('submit', (event) => {
  event.preventDefault()
  if (running || !event.submitter) return
  pressed = event.submitter
  run({ kind: pressed.value, streams: $('streams').valueAsNumber, seconds: $('seconds').valueAsNumber })
})
$('stop').addEventListener('click', () => running?.abort())
showVersions()
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') running?.abort()
})

async function run(options) {
  const kind = kinds[options.kind]
  running = new AbortController()
  setBusy(true)
  $('results').hidden = false
  $('result-title').textContent = kind.title
  $('figures').tBodies[0].replaceChildren()
  $('summary').hidden = true
  for (const panel of Object.values(panels)) panel.begin(kind)
  drawBoth(kind, options)

  try {
    const onWait = () => say('Waiting until a stream in another tab ends…')
    await asOneOfTheStreams(() => follow(options, kind), { signal: running.signal, onWait })
    say('Done. All processes of the storm have ended.')
  } catch (error) {
    if (error.name === 'AbortError') say('Stopped.')
    else say(explain(error), 'bad')
  }
  running = undefined
  setBusy(false)
}

/** Shows a storm as it goes. It lasts as long as its response; leaving that ends it. */
async function follow(options, kind) {
  const response = await fetch('runs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(options),
    signal: running.signal,
  })
  if (!response.ok) throw new Error(await describeResponse(response))

  const results = {}
  for await (const { event, data } of serverSentEvents(response.body)) {
    const message = JSON.parse(data)
    const { contender } = message
    if (event === 'starting')
      say(`Starting ${names[contender]}, ${kind.providers ?? 'a provider'} and ${options.streams} clients…`)
    if (event === 'sample') {
      panels[contender].add(message)
      say(message.at < 0 ? 'A second of calm…' : `The storm is on, through ${names[contender]}…`)
      requestAnimationFrame(() => drawBoth(kind, options))
    }
    if (event === 'result') {
      results[contender] = message
      panels[contender].finish(message, options.streams)
      showFigures(kind, results)
    }
    if (event === 'failed') throw new Error(`The storm failed: ${message.message}`)
    if (event === 'done') return showSummary(kind, results)
  }
  throw new Error('The connection to the app ended before the storm did.')
}

function drawBoth(kind, { seconds }) {
  const both = Object.values(panels)
  for (const [index, { atLeast }] of kind.charts.entries()) {
    const yMax = roundUp(Math.max(atLeast, ...both.map((panel) => panel.highest(index))))
    for (const panel of both) panel.draw(index, yMax, seconds)
  }
}

/** Says in a sentence what the storm has shown, if its kind has one. */
function showSummary(kind, { ours, plain }) {
  $('summary').hidden = kind.summary === undefined
  $('summary').textContent = kind.summary?.(ours, plain) ?? ''
}

function showFigures(kind, results) {
  const rows = figuresOf(kind).map(([label, write]) => {
    const row = document.createElement('tr')
    const head = document.createElement('th')
    head.scope = 'row'
    head.textContent = label
    row.append(head)
    for (const contender of Object.keys(panels)) {
      row.insertCell().textContent = results[contender] ? write(results[contender]) : '…'
    }
    return row
  })
  $('figures').tBodies[0].replaceChildren(...rows)
}

async function showVersions() {
  const response = await fetch('versions').catch(() => undefined)
  if (!response?.ok) return // the page works without
  const versions = await response.json()
  for (const place of document.querySelectorAll('[data-version]')) {
    place.textContent = versions[place.dataset.version]
  }
}

function setBusy(busy) {
  const hadFocus = document.activeElement === $('stop')
  pressed.classList.toggle('running', busy)
  $('kinds').disabled = busy
  $('stop').hidden = !busy
  if (busy) $('stop').focus()
  else if (hadFocus) pressed.focus()
}

function say(text, tone = '') {
  const place = $('status')
  if (place.textContent !== text) place.textContent = text
  place.dataset.tone = tone
}
