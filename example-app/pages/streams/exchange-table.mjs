import { count, dollars, fate, ms, time, toneOf } from '../shared/format-values.mjs'

const phaseWords = { stalled: 'waiting for the client', draining: 'without a client' }
const outputOf = ({ usage, outputTokens }) => usage?.outputTokens ?? outputTokens
const tookOf = ({ durationMs, age }) => durationMs ?? age
const statusOf = ({ providerStatus, status }) => status ?? providerStatus

/**
 * The columns: the name of each, its title, what it is sorted by, the content of its cells, whether it is text, and what is
 * first if it is sorted downwards or upwards, where the type does not say that well.
 */
export const columns = [
  {
    name: 'time',
    title: 'Time',
    sortBy: ({ startedAt }) => startedAt,
    write: openButton,
    orders: ['newest', 'oldest'],
  },
  { name: 'client', title: 'Client', sortBy: ({ client }) => client, write: clientAndUser, isText: true },
  { name: 'model', title: 'Model', sortBy: ({ model }) => model, write: modelAndProvider, isText: true },
  { name: 'outcome', title: 'Outcome', sortBy: outcomeText, write: outcomeBadge, isText: true },
  { name: 'status', title: 'Status', sortBy: statusOf, write: (row) => String(statusOf(row) ?? '–') },
  { name: 'tokens', title: 'Tokens', sortBy: outputOf, write: tokens },
  { name: 'duration', title: 'Duration', sortBy: tookOf, write: (row) => ms(tookOf(row)) },
  { name: 'cost', title: 'Cost', sortBy: ({ cost }) => cost, write: costInWords },
]

/** Fills a table's body with a row for each. Rows that stay keep their elements, so that the focus stays as well. */
export function fill(body, rows, { onAbort }) {
  const known = new Map([...body.rows].map((element) => [element.dataset.id, element]))
  const elements = rows.map((row) => {
    const element = known.get(row.id) ?? newRow(row)
    update(element, row, onAbort)
    return element
  })
  const staying = new Set(elements)
  for (const element of [...body.rows]) if (!staying.has(element)) element.remove()
  for (const [index, element] of elements.entries()) {
    if (body.rows[index] !== element) body.insertBefore(element, body.rows[index] ?? null)
  }
}

function newRow(row) {
  const element = document.createElement('tr')
  element.dataset.id = row.id
  for (const { name, title } of columns) {
    const cell = element.insertCell()
    cell.dataset.column = name
    cell.dataset.label = title
  }
  element.insertCell().dataset.column = 'abort'
  return element
}

function update(element, row, onAbort) {
  for (const [index, { write }] of columns.entries()) {
    const content = write(row)
    const cell = element.cells[index]
    const isSame =
      content instanceof Element ? content.isEqualNode(cell.firstElementChild) : cell.textContent === content
    if (!isSame) cell.replaceChildren(content)
  }
  updateAbort(element, row, onAbort)
}

function updateAbort(element, row, onAbort) {
  const cell = element.cells[columns.length]
  const button = cell.firstElementChild
  if (!row.isActive) {
    if (button === document.activeElement && button) element.querySelector('.open-record').focus()
    button?.remove()
  } else if (button) {
    button.disabled = row.isStale
  } else {
    cell.append(abortButton(row, onAbort))
  }
}

function abortButton({ id, model, isStale }, onAbort) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'danger'
  button.textContent = 'Abort'
  button.disabled = isStale
  button.setAttribute('aria-label', `Abort ${model ?? 'this exchange'}`)
  button.addEventListener('click', () => onAbort(id))
  return button
}

/** The whole row can be clicked; this is for the keyboard. */
function openButton({ startedAt, model }) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'open-record'
  button.textContent = time(startedAt)
  button.setAttribute('aria-label', `${time(startedAt)}, open the record of ${model ?? 'this exchange'}`)
  button.setAttribute('aria-haspopup', 'dialog')
  return button
}

/** The user is of interest if the client alone does not say it. */
function clientAndUser({ client, subject, tenant }) {
  return withAside(client, tenant === undefined || subject === client ? undefined : subject)
}

function modelAndProvider({ model, provider }) {
  return withAside(model ?? '(no model)', provider)
}

function withAside(text, aside) {
  const element = document.createElement('span')
  element.append(text)
  if (aside === undefined) return element
  const muted = document.createElement('span')
  muted.className = 'aside'
  muted.textContent = ` · ${aside}`
  element.append(muted)
  return element
}

function outcomeText(row) {
  if (!row.isActive) return fate(row)
  if (row.isStale) return `last seen ${row.phase}`
  return phaseWords[row.phase] ?? row.phase
}

/** Where an answer came from, if not from the provider. */
function originInWords({ cache, method, stream, model, isActive, asksProvider }) {
  if (isActive && model && !asksProvider) return 'does not ask the provider'
  if (cache === 'hit') return 'from the cache'
  if (cache === 'join') return 'the answer to another request'
  if (method === 'DELETE' && model) return 'stopped an answer'
  return method === 'GET' && stream && model ? 'continued an answer' : undefined
}

/** A badge, and below it where the answer came from, and the reason for a failure. */
function outcomeBadge(row) {
  const element = document.createElement('div')
  const badge = document.createElement('span')
  badge.className = 'badge'
  badge.dataset.tone = row.isStale ? 'warn' : toneOf(row)
  badge.textContent = outcomeText(row)
  element.append(badge)
  for (const [className, text] of [
    ['origin', originInWords(row)],
    ['reason', row.error],
  ]) {
    if (!text) continue
    const line = document.createElement('p')
    line.className = className
    line.textContent = text
    element.append(line)
  }
  return element
}

/** Of an exchange under way they are an estimate in part, as are those of a stream that ended early. */
function tokens(row) {
  const { usage, isActive } = row
  const output = outputOf(row)
  if (output === undefined && usage?.inputTokens === undefined) return '–'
  const isEstimated = isActive ? output > 0 : usage.estimated
  const parts = []
  if (usage?.inputTokens !== undefined) parts.push(`${count(usage.inputTokens)} in`)
  if (output !== undefined) parts.push(`${isEstimated ? '≈ ' : ''}${count(output)} out`)
  return parts.join(' · ')
}

function costInWords({ cost, costEstimated }) {
  if (cost === undefined) return '–'
  return `${costEstimated ? '≈ ' : ''}${dollars(cost)}`
}
