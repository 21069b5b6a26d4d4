import { count, dollars } from '../shared/format-values.mjs'

/** The columns: the name of each, its title, and the text of its cells. */
const columns = [
  { name: 'user', title: 'User', write: ({ name }) => name },
  { name: 'team', title: 'Team', write: ({ team }) => team ?? '–' },
  { name: 'model', title: 'Model', write: ({ model }) => model },
  { name: 'active', title: 'Under way', write: ({ active }) => count(active) },
  { name: 'answers', title: 'Answers', write: ({ answers }) => count(answers) },
  { name: 'cached', title: 'From the cache', write: ({ cached }) => count(cached) },
  { name: 'failed', title: 'Failed', write: ({ failed }) => count(failed) },
  { name: 'refused', title: 'Refused', write: ({ refused }) => count(refused) },
  { name: 'tokens', title: 'Tokens', write: tokensInWords },
  { name: 'cost', title: 'Money', write: costInWords },
]

/** Writes the head of the table. */
export function makeHead(row) {
  for (const { name, title } of columns) {
    const head = document.createElement('th')
    head.scope = 'col'
    head.dataset.column = name
    head.textContent = title
    row.append(head)
  }
}

/** Fills the table's body. Rows that stay keep their elements. */
export function fill(body, rows) {
  const known = new Map([...body.rows].map((element) => [element.dataset.id, element]))
  const elements = rows.map((row) => {
    const id = `${row.user} ${row.model}`
    const element = known.get(id) ?? newRow(id)
    for (const [index, { write }] of columns.entries()) {
      const text = write(row)
      if (element.cells[index].textContent !== text) element.cells[index].textContent = text
    }
    return element
  })
  const isSame = elements.length === body.rows.length && elements.every((element, at) => element === body.rows[at])
  if (!isSame) body.replaceChildren(...elements)
}

/**
 * Adds what is under way to what has ended, and the users' names: a row for each user and model.
 *
 * @param state as the app sends it
 */
export function rowsOf({ users, rows, active }) {
  const byId = new Map(rows.map((row) => [`${row.user} ${row.model}`, { ...row, active: 0 }]))
  for (const { user, model, outputTokens } of active) {
    if (model === undefined) continue
    const id = `${user} ${model}`
    const none = {
      user,
      model,
      answers: 0,
      cached: 0,
      failed: 0,
      refused: 0,
      inputTokens: 0,
      outputTokens: 0,
      isEstimated: false,
    }
    const row = byId.get(id) ?? { ...none, active: 0 }
    byId.set(id, row)
    row.active++
    row.outputTokens += outputTokens
    if (outputTokens > 0) row.isEstimated = true
  }
  const order = new Map(users.map(({ id }, at) => [id, at]))
  const nameOf = (id) => users.find((user) => user.id === id) ?? { name: id }
  return [...byId.values()]
    .map((row) => ({ ...row, name: nameOf(row.user).name, team: nameOf(row.user).team }))
    .sort((a, b) => order.get(a.user) - order.get(b.user) || a.model.localeCompare(b.model))
}

function newRow(id) {
  const element = document.createElement('tr')
  element.dataset.id = id
  for (const { name, title } of columns) {
    const cell = element.insertCell()
    cell.dataset.column = name
    cell.dataset.label = title
  }
  return element
}

function tokensInWords({ inputTokens, outputTokens, isEstimated }) {
  return `${count(inputTokens)} in · ${isEstimated ? '≈ ' : ''}${count(outputTokens)} out`
}

function costInWords({ cost, isEstimated }) {
  return cost === undefined ? '–' : `${isEstimated ? '≈ ' : ''}${dollars(cost)}`
}
