// Figures of the benchmark in prose and tables. A page marks where one stands:
//   <!-- figure range 20 burst-20.throughput -->1.69× to 3.70×<!-- /figure -->
// and `npm run docs` writes what bench/ranges.json and bench/results.json say between the two marks.

const MARKED = /(<!-- figure (.+?) -->)(.*?)(<!-- \/figure -->)/gs

/**
 * Fills in the figures that a page marks.
 *
 * @param {string} markdown
 * @param {{ ranges: object, results: object }} bench what bench/ranges.json and bench/results.json hold
 * @returns {string}
 * @throws Error if a mark asks for a figure that was not measured
 */
export function withFigures(markdown, bench) {
  const opened = markdown.match(/<!-- figure /g)?.length ?? 0
  const filled = markdown.match(MARKED)?.length ?? 0
  if (opened !== filled) throw new Error('a figure is opened by <!-- figure … --> and not closed by <!-- /figure -->')
  return markdown.replace(MARKED, (_, begin, asked, _old, end) => {
    const [kind, ...args] = asked.split(' ')
    if (!kinds[kind])
      throw new Error(`figure ${asked}: there is no kind ${kind}, only ${Object.keys(kinds).join(', ')}`)
    return `${begin}${kinds[kind](bench, ...args)}${end}`
  })
}

/** The kinds of figures, by the first word of a mark; the other words are the arguments after the first. */
const kinds = {
  /** `range 20 burst-20.throughput`: ours divided by plain's, over all rounds, the worse end first. */
  range: ({ ranges }, node, row) => rangeText(rowOf(ranges, node, row)),
  /** `worst 20 burst-20.throughput`: the worse end alone. */
  worst: ({ ranges }, node, row) => times(rowOf(ranges, node, row).worst),
  /** `fewer 20 burst-20.healthP99`: how many times less than plain's, the worse end first. */
  fewer: ({ ranges }, node, row) => {
    const { worst, best } = rowOf(ranges, node, row)
    return `${Math.floor(1 / worst)} to ${Math.floor(1 / best)} times`
  },
  /** `table 20`: a table with every row that was measured on that line of Node. */
  table: ({ ranges }, node) => `\n${table(setOf(ranges, node))}\n`,
  /** `verdict 20`: which rows reach their target by the worse end, and which do not. */
  verdict: ({ ranges }, node) => verdict(setOf(ranges, node)),
  /** `result burst-20.healthP99 plain`: a contender's median in the last whole run, with its unit. */
  result: ({ results }, row, contender) => {
    const { [contender]: value, unit } = results.rows.find(named(row)) ?? missing(row)
    if (typeof value !== 'number') missing(`${row} ${contender}`)
    return `${Number(value.toPrecision(2))} ${unit}`
  },
  /** `hooked burst-20.throughput ours`: the same for a comparison of ours with hooks and without. */
  hooked: ({ ranges }, row, contender) => {
    const { [contender]: value, unit } = ranges.hooked.find(named(row)) ?? missing(row)
    return typeof value === 'number' ? `${value} ${unit}` : missing(`${row} ${contender}`)
  },
  /** `options small.requestsPerSecond …`: a table of what options cost, with a column for each row that is named. */
  options: ({ ranges }, ...rows) => `\n${optionsTable(ranges.options, rows)}\n`,
  /** `option quota small.requestsPerSecond`: ours with an option divided by ours without, the worse end first. */
  option: ({ ranges }, contender, row) => {
    const { rows } = ranges.options.find((one) => one.contender === contender) ?? missing(contender)
    return rangeText(rows.find(named(row)) ?? missing(`${contender} ${row}`))
  },
  /** `values joined crowd-1000.healthP99`: the range of a variant's own figure, with its unit. */
  values: ({ ranges }, contender, row) => {
    const { values } = ranges.options.find((one) => one.contender === contender) ?? missing(contender)
    const { from, to, unit } = values.find(named(row)) ?? missing(`${contender} ${row}`)
    return `${Number(from.toPrecision(2))} to ${Number(to.toPrecision(2))} ${unit}`
  },
  /** `date`: when the last whole run was. */
  date: ({ results }) => results.date,
}

function missing(what) {
  throw new Error(`figure ${what}: there is no such measurement`)
}

function setOf(ranges, node) {
  return ranges.sets.find((set) => set.node === node) ?? missing(`Node ${node}`)
}

function rowOf(ranges, node, row) {
  return setOf(ranges, node).rows.find(named(row)) ?? missing(`${node} ${row}`)
}

function times(ratio) {
  return `${ratio >= 0.1 ? ratio.toFixed(2) : ratio.toFixed(3)}×`
}

function rangeText({ worst, best }) {
  return `${times(worst)} to ${times(best)}`
}

function named(row) {
  return ({ scenario, metric }) => `${scenario}.${metric}` === row
}

/** What a variant of ours is called in the table. */
const OPTIONS = {
  routed: 'two `targets`',
  quota: '`identify` and `quota()`, three limits in memory',
  'quota-redis': 'the same in Redis, on the core of the load',
  tenants: '`identify` alone, turns by tenant',
  resume: '`resume`, in memory',
  'resume-redis': '`resume` in Redis, on the core of the load',
}

/** What the rows are called as columns. */
const COLUMNS = {
  'small.requestsPerSecond': 'small JSON answers, requests per second',
  'burst-20.throughput': '20 bursting streams, throughput',
  'chat-20.lateP99': 'a chat beside them, lateness p99',
  'first-event.addedMs': 'first event’s added delay',
}

function optionsTable(measured, columns) {
  const lines = Object.entries(OPTIONS).flatMap(([contender, label]) => {
    const { rows, date } = measured.find((one) => one.contender === contender) ?? {}
    if (!rows) return []
    const cells = columns.map((column) => {
      const row = rows.find(named(column))
      return row ? rangeText(row) : '–'
    })
    const rounds = Math.max(...rows.map((row) => row.rounds))
    return [`| ${[label, ...cells, `${rounds}, ${date}`].join(' | ')} |`]
  })
  const heads = ['option', ...columns.map((column) => COLUMNS[column] ?? missing(column)), 'rounds, last on']
  return [`| ${heads.join(' | ')} |`, `|${' --- |'.repeat(heads.length)}`, ...lines].join('\n')
}

function isBetter(row) {
  return row.better === 'higher' ? '≥' : '≤'
}

function table({ rows }) {
  const lines = rows.map((row) => {
    const target = row.must === null ? '–' : `${isBetter(row)} ${row.must}×`
    return `| ${row.label} | ${rangeText(row)} | ${times(row.median)} | ${target} | ${row.rounds} |`
  })
  return [
    '| scenario | ours/plain, range | median | target | rounds |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n')
}

function verdict({ rows }) {
  const reached = (row) => (row.better === 'higher' ? row.worst >= row.must : row.worst <= row.must)
  const judged = rows.flatMap((row, at) => {
    // A label that begins with a dash belongs to the row before it.
    const group = rows.slice(0, at + 1).findLast(({ label }) => !label.startsWith('–'))
    const name = row === group ? row.label : `${row.label.slice(2)} (${group.label.split(':', 1)[0]})`
    return row.must === null ? [] : [{ name, met: reached(row) }]
  })
  const list = (met) =>
    judged
      .filter((one) => one.met === met)
      .map(({ name }) => `\n- ${name}`)
      .join('')
  return `\n**These reach their target even by the worse end:**\n${list(true)}\n\n**These do not:**\n${list(false)}\n`
}
