import { bytes, fate, ms, toneOf } from '../units.mjs'

const orDash = (value, write) => (value === undefined || value === null ? '–' : write(value))
/** Of one under way they are an estimate in part, as are those of a stream that ended early. */
const tokens = ({ usage, outputTokens }) => {
  const isEstimated = usage ? usage.estimated : outputTokens !== undefined
  return orDash(usage?.outputTokens ?? outputTokens, (count) => `${isEstimated ? '≈ ' : ''}${count}`)
}

/** The columns that both tables have; the record of an exchange knows more than the view of one under way. */
const counts = [
  ['Sent', (row) => bytes(row.bytes ?? row.downstreamBytes)],
  ['Tokens', tokens],
  ['Turns', (row) => orDash(row.turns, String)],
  ['Longest turn', (row) => orDash(row.maxTurnMs, ms)],
]

const tones = { streaming: 'good', stalled: 'warn', draining: 'warn' }
export const activeColumns = [
  ['', (row) => named(row)],
  ['', ({ phase }) => badge(phase === 'stalled' ? 'stalled: waits for drain' : phase, tones[phase] ?? 'busy')],
  ['Age', ({ age }) => `${(age / 1000).toFixed(1)} s`],
  ...counts,
]

export const finishedColumns = [
  ['', (row) => named(row)],
  ['', (row) => explained(badge(fate(row), toneOf(row)), row.error)],
  ['Took', ({ durationMs }) => ms(durationMs)],
  ...counts,
]

/** Fills a table's body with a row for each; rows that stay keep their elements, so that a focus in them stays too. */
export function fill(body, rows, columns, lastCell) {
  const known = new Map([...body.rows].map((element) => [element.dataset.id, element]))
  const elements = rows.map((row) => {
    const element = known.get(row.id) ?? newRow(row, columns, lastCell)
    for (const [index, [, write]] of columns.entries()) {
      const content = write(row)
      const cell = element.cells[index]
      if (cell.textContent !== (content.textContent ?? content)) cell.replaceChildren(content)
    }
    return element
  })
  const isSame =
    elements.length === body.rows.length && elements.every((element, index) => element === body.rows[index])
  if (isSame) return
  const staying = new Set(elements)
  for (const element of [...body.rows]) if (!staying.has(element)) element.remove()
  for (const [index, element] of elements.entries()) {
    if (body.rows[index] !== element) body.insertBefore(element, body.rows[index] ?? null)
  }
}

function newRow(row, columns, lastCell) {
  const element = document.createElement('tr')
  element.dataset.id = row.id
  for (const [label] of columns) {
    const cell = element.insertCell()
    if (label) cell.dataset.label = label
  }
  if (lastCell) element.insertCell().append(lastCell(row))
  return element
}

function named({ model, provider }) {
  const element = document.createElement('span')
  const by = document.createElement('span')
  by.className = 'provider'
  by.textContent = ` · ${provider}`
  element.append(model ?? '(no model)', by)
  return element
}

/** Puts the reason below a badge, if there is one. */
function explained(badge, reason) {
  if (!reason) return badge
  const element = document.createElement('div')
  const line = document.createElement('p')
  line.className = 'reason'
  line.textContent = reason
  element.append(badge, line)
  return element
}

function badge(text, tone) {
  const element = document.createElement('span')
  element.className = 'badge'
  element.dataset.tone = tone
  element.textContent = text
  return element
}
