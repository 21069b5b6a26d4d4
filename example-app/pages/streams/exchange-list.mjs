/** How many ended exchanges the page keeps, as the app does. */
const CAPACITY = 200

/**
 * What the page knows of exchanges: those under way, and the last that ended. While the connection is lost, those under
 * way are stale: nobody knows what has become of them.
 */
export class ExchangeList {
  #active = []
  #finished = []
  #isStale = false

  update({ isFirst, active, finished }) {
    this.#isStale = false
    this.#active = active
    const before = isFirst ? [] : this.#finished
    this.#finished = [...before, ...finished].slice(-CAPACITY)
  }

  markStale() {
    this.#isStale = true
  }

  /** All rows. Those under way have `isActive`, and `isStale` while the connection is lost. */
  get rows() {
    const ended = new Set(this.#finished.map(({ id }) => id))
    const active = this.#active.filter(({ id }) => !ended.has(id))
    return [...active.map((row) => ({ ...row, isActive: true, isStale: this.#isStale })), ...this.#finished]
  }

  find(id) {
    return this.rows.find((row) => row.id === id)
  }
}

const statusFilters = {
  all: () => true,
  active: ({ isActive }) => isActive === true,
  alone: ({ isActive, phase }) => isActive === true && phase === 'draining',
  completed: ({ outcome }) => outcome === 'completed',
  failed: ({ outcome }) => outcome !== undefined && !['completed', 'client_disconnect'].includes(outcome),
  left: ({ outcome }) => outcome === 'client_disconnect',
  cached: ({ cache }) => cache === 'hit' || cache === 'join',
}

const searched = [
  'client',
  'subject',
  'tenant',
  'provider',
  'model',
  'responseModel',
  'phase',
  'outcome',
  'code',
  'error',
  'limit',
  'status',
  'providerStatus',
  'id',
  'path',
]

/** The rows that have a status (a key of the page's filter) and each word of a text in one of their fields. */
export function filterRows(rows, { text, status }) {
  const terms = text.toLowerCase().split(/\s+/).filter(Boolean)
  return rows.filter((row) => {
    if (!statusFilters[status](row)) return false
    const known = searched
      .map((field) => row[field] ?? '')
      .join('\n')
      .toLowerCase()
    const inWords = known.replaceAll('_', ' ')
    return terms.every((term) => known.includes(term) || inWords.includes(term))
  })
}

/** Sorts rows by what `pick` says of each; rows without a value come last in either direction. */
export function sortRows(rows, pick, isDescending) {
  const sign = isDescending ? -1 : 1
  return rows
    .map((row) => ({ row, value: pick(row) }))
    .sort((a, b) => {
      if (a.value === undefined || b.value === undefined) return (a.value === undefined) - (b.value === undefined)
      const order = a.value < b.value ? -1 : a.value > b.value ? 1 : 0
      return order * sign || b.row.startedAt - a.row.startedAt
    })
    .map(({ row }) => row)
}
