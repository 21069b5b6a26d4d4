import { describeResponse, explain } from '../shared/failure.mjs'
import { ms, time } from '../shared/format-values.mjs'
import { LineChart, roundUp } from '../shared/line-chart.mjs'
import { RecordDialog } from '../shared/record-dialog.mjs'
import { loadSettings } from '../shared/settings.mjs'
import { StateFeed } from '../shared/state-feed.mjs'
import { ExchangeList, filterRows, sortRows } from './exchange-list.mjs'
import { columns, fill } from './exchange-table.mjs'
import { restoreFilter, saveFilter } from './filter-address.mjs'

const $ = (id) => document.getElementById(id)
const SHOWN_SECONDS = 180
const ROWS_PER_STEP = 50
/** The distances of times that are easy to read, in seconds. */
const TIME_STEPS = [1, 5, 10, 15, 30, 60, 120]

const list = new ExchangeList()
const dialog = new RecordDialog({ onClose: leaveRecord })
const sorting = {}
const samples = { loop: [], health: [] }
let isLoaded = false
let lastAt = 0
let rowLimit = ROWS_PER_STEP

const chart = (id, label, series) =>
  new LineChart($(id), {
    label,
    series,
    xLabel: 'Time',
    xSteps: TIME_STEPS,
    formatX: (seconds) => time(seconds * 1000),
    formatY: ms,
  })
const loopChart = chart('loop-chart', 'Event-loop delay', [
  { label: 'Worst of a second', tone: 'accent', isFilled: true },
  { label: 'Median', tone: 'other', isDashed: true },
])
const healthChart = chart('health-chart', 'Latency of /health', [{ label: 'Took', tone: 'accent', isFilled: true }])

makeHead()
restoreFilter()
Object.assign(sorting, orderIn($('sort').value))
new StateFeed({
  everyMs: 400,
  onState(state) {
    if (state.isFirst) for (const name of Object.keys(samples)) samples[name] = []
    lastAt = state.at
    list.update(state)
    say('connection', 'live', 'good')
    showGauges(state.gauges)
    showTable()
    showCharts(state)
    if (!isLoaded && location.hash) showAddressed()
    isLoaded = true
  },
  onLost() {
    list.markStale()
    const since = lastAt ? ` The page shows ${time(lastAt)}.` : ''
    say('connection', `Connection lost, trying again…${since}`, 'warn')
    showTable()
  },
})

function makeHead() {
  for (const { name, title, isText = false, orders } of columns) {
    const head = document.createElement('th')
    head.scope = 'col'
    head.dataset.column = name
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = title
    button.addEventListener('click', () => sortBy(name, sorting.column === name ? !sorting.isDescending : !isText))
    head.append(button)
    $('exchanges').tHead.rows[0].lastElementChild.before(head)
    const inWords = orders ?? (isText ? ['Z to A', 'A to Z'] : ['high to low', 'low to high'])
    for (const [index, order] of inWords.entries()) {
      $('sort').append(new Option(`${title}, ${order}`, `${name} ${index === 0}`))
    }
  }
}

function sortBy(column, isDescending) {
  Object.assign(sorting, { column, isDescending })
  showTable()
}

function showTable() {
  const { column, isDescending } = sorting
  for (const head of $('exchanges').tHead.rows[0].cells) {
    if (head.dataset.column === column) head.setAttribute('aria-sort', isDescending ? 'descending' : 'ascending')
    else head.removeAttribute('aria-sort')
  }
  $('sort').value = `${column} ${isDescending}`

  const all = list.rows
  const found = filterRows(all, { text: $('search').value, status: $('status').value })
  const sorted = sortRows(found, columns.find(({ name }) => name === column).sortBy, isDescending)
  $('exchanges').classList.toggle(
    'has-cost',
    all.some(({ cost }) => cost !== undefined),
  )
  fill($('exchanges').tBodies[0], sorted.slice(0, rowLimit), { onAbort: abort })
  $('more').hidden = sorted.length <= rowLimit
  $('count').textContent = countInWords({
    all: all.length,
    found: found.length,
    shown: Math.min(found.length, rowLimit),
  })
  $('empty').hidden = found.length > 0
  $('empty').textContent = all.length > 0 ? 'No exchange matches the filter.' : $('empty').dataset.none

  const open = dialog.shownId && list.find(dialog.shownId)
  if (open) dialog.update(shownRecord(open))
  saveFilter()
}

function orderIn(value) {
  const [column, isDescending] = value.split(' ')
  return { column, isDescending: isDescending === 'true' }
}

function countInWords({ all, found, shown }) {
  if (shown === all) return `${all} shown`
  return shown === found || found === all ? `${shown} of ${all} shown` : `${shown} of ${found} shown, ${all} in all`
}

/** The row as the dialog shows it: what the page adds is left out. */
function shownRecord({ isActive, isStale, ...record }) {
  return isStale ? { ...record, phase: `last seen ${record.phase}` } : record
}

function showGauges(gauges) {
  for (const place of document.querySelectorAll('[data-gauge]')) {
    const value = gauges[place.dataset.gauge]
    place.textContent = place.dataset.gauge === 'maxTurnMs' ? (value > 0 ? ms(value) : '–') : value
  }
}

function showCharts({ at, loop, health }) {
  const until = at / 1000
  const xRange = [until - SHOWN_SECONDS, until]
  const isShown = (sample) => sample.at > at - SHOWN_SECONDS * 1000
  samples.loop = [...samples.loop, ...loop].filter(isShown)
  samples.health = [...samples.health, ...health].filter(isShown)
  const draw = (chart, known, ...values) => {
    const y = values.map((pick) => known.map(pick))
    const yMax = roundUp(y.flat().reduce((a, b) => Math.max(a, b), 10))
    chart.draw({ x: known.map(({ at }) => at / 1000), y, xRange, yMax })
  }
  draw(
    loopChart,
    samples.loop,
    ({ worst }) => worst,
    ({ median }) => median,
  )
  draw(healthChart, samples.health, ({ tookMs }) => tookMs)
}

/** An open record has an address of its own: for links, and for the browser's Back. */
function showAddressed() {
  const address = location.hash.slice(1)
  const row = address && list.rows.find(({ id }) => encodeURIComponent(id) === address)
  if (row) dialog.show(shownRecord(row))
  else dialog.close()
  showResult(address && !row ? 'The exchange of this link is not kept any more.' : undefined, '')
}

function leaveRecord() {
  if (!location.hash) return // it was closed by Back
  if (history.state?.isOpenedHere) history.back()
  else history.replaceState(undefined, '', `${location.pathname}${location.search}`)
}

async function abort(id) {
  showResult(await request('DELETE', `exchanges/${encodeURIComponent(id)}`), 'Aborted.')
}

/** Shows what went wrong. Success shows in the table, so it is announced alone. */
function showResult(problem, success) {
  $('said').classList.toggle('visually-hidden', problem === undefined)
  say('said', problem ?? success)
}

$('exchanges').tBodies[0].addEventListener('click', ({ target }) => {
  const row = target.closest('tr')
  if (target.closest('.danger') || !row) return
  history.pushState({ isOpenedHere: true }, '', `#${encodeURIComponent(row.dataset.id)}`)
  showAddressed()
})
addEventListener('popstate', showAddressed)
for (const id of ['search', 'status']) {
  $(id).addEventListener('input', () => {
    rowLimit = ROWS_PER_STEP
    showTable()
  })
}
$('filter').addEventListener('submit', (event) => event.preventDefault())
$('sort').addEventListener('change', () => {
  const { column, isDescending } = orderIn($('sort').value)
  sortBy(column, isDescending)
})
$('more').addEventListener('click', () => {
  const { rows } = $('exchanges').tBodies[0]
  const shown = rows.length
  rowLimit += ROWS_PER_STEP
  showTable()
  rows[shown]?.querySelector('.open-record').focus() // the button may be gone
})
$('start').addEventListener('click', async () => showResult(await request('POST', 'demo'), 'Started.'))

const settings = await loadSettings() // the badge tells of a lost connection
$('start').hidden = !settings.providers.some(({ local }) => local) // a stand-in costs nothing

/** Sends a short request. Resolves with what went wrong, if something did. */
async function request(method, path) {
  try {
    const response = await fetch(path, { method })
    return response.ok ? undefined : await describeResponse(response)
  } catch (error) {
    return explain(error)
  }
}

function say(id, text, tone = '') {
  const place = $(id)
  if (place.textContent !== text) place.textContent = text
  if (tone) place.dataset.tone = tone
}
