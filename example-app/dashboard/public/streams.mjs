import { requestId, streamAnswer } from '../stream.mjs'
import { ms } from '../units.mjs'
import { lineChart } from './chart.mjs'
import { activeColumns, fill, finishedColumns } from './rows.mjs'

const $ = (id) => document.getElementById(id)
const SHOWN_SECONDS = 180
const PROBE_EVERY_MS = 1000

const drawLoop = lineChart($('loop-chart'), { unit: 'ms', label: 'Event-loop delay, last three minutes', writeX: ago })
const drawHealth = lineChart($('health-chart'), { unit: 'ms', label: 'Latency of /health', writeX: ago })
let loop = []
let health = []

const events = new EventSource('events')
events.addEventListener('open', () => say('connection', 'live'))
events.addEventListener('error', () => say('connection', 'connection lost, trying again…'))
events.addEventListener('state', ({ data }) => show(JSON.parse(data)))

function show(state) {
  for (const place of document.querySelectorAll('[data-gauge]')) {
    const { gauge } = place.dataset
    const value = state.gauges[gauge]
    place.textContent = gauge === 'maxTurnMs' ? (value > 0 ? ms(value) : '–') : value
  }
  const focused = document.activeElement
  fill($('active').tBodies[0], state.active, activeColumns, abortButton)
  if (focused !== document.body && !focused.isConnected) $('active-title').focus() // its row has ended
  if (state.finished) fill($('finished').tBodies[0], state.finished, finishedColumns)

  loop = shown([...loop, ...state.loop])
  const worst = loop.map(({ at, worst }) => [secondsAgo(at), worst])
  const median = loop.map(({ at, median }) => [secondsAgo(at), median])
  draw(drawLoop, worst, [
    { tone: 'accent', points: worst, filled: true },
    { tone: 'quiet', points: median },
  ])
}

/** Asks for `/health` as a load balancer would, and keeps how long the answer took. */
async function probe() {
  const sentAt = performance.now()
  try {
    await fetch('../health', { cache: 'no-store' }).then((response) => response.text())
    health = shown([...health, { at: Date.now(), took: performance.now() - sentAt }])
  } catch {
    // The app is not there; the badge above says so.
  }
  const points = health.map(({ at, took }) => [secondsAgo(at), took])
  draw(drawHealth, points, [{ tone: 'accent', points, filled: true }])
  setTimeout(probe, PROBE_EVERY_MS)
}
probe()

function draw(chart, points, series) {
  const values = points.map(([, y]) => y)
  const top = Math.max(10, ...values)
  const summary = values.length > 0 ? `Now ${ms(values.at(-1))}, at most ${ms(Math.max(...values))}.` : ''
  chart({ x: [-SHOWN_SECONDS, 0], y: top, series, summary })
}

function abortButton({ id, model }) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'danger'
  button.textContent = 'Abort'
  button.setAttribute('aria-label', `Abort ${model ?? 'this exchange'}`)
  button.addEventListener('click', async () => {
    const response = await fetch(`exchanges/${encodeURIComponent(id)}`, { method: 'DELETE' })
    say('said', response.ok ? 'Aborted.' : 'It had ended already.')
  })
  return button
}

// Stand-ins cost nothing: there something can be started to look at. One each, for browsers open six connections.
const { providers } = await fetch('../settings').then((response) => response.json())
const free = providers.filter(({ local }) => local)
$('start').hidden = free.length === 0
$('start').addEventListener('click', () => {
  for (const provider of free) {
    const options = { id: requestId(), base: '..', onText() {} }
    streamAnswer(provider, 'Tell me a long story.', options).catch(() => {}) // the table says how it ended
  }
})

function say(id, text) {
  const place = $(id)
  if (place.textContent !== text) place.textContent = text
  if (id === 'connection') place.dataset.tone = text === 'live' ? 'good' : 'warn'
}

function secondsAgo(at) {
  return (at - Date.now()) / 1000
}

function shown(samples) {
  return samples.filter(({ at }) => secondsAgo(at) > -SHOWN_SECONDS)
}

function ago(seconds) {
  return seconds === 0 ? 'now' : `${-seconds / 60} min ago`
}
