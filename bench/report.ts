/** Turns measurements into a table and a JSON file. */
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { type Contender, contenders } from './contenders'
import { cores } from './cores'
import type { Figures, Goal, Row, Scenario } from './scenario'
import { scenarios } from './scenarios'
import { median } from './stats'

/** One measurement: its figures, or the reason why there are none. */
export interface Measurement {
  round: number
  scenario: string
  contender: Contender
  figures?: Figures
  /** CPU time of other processes during the measurement, in percent of one core; NaN if unknown. */
  othersPercent?: number
  invalid?: string
}

/** The probe's own noise, in milliseconds. */
export interface Noise {
  idle: { medianMs: number; p99Ms: number }
  besideLoad: { medianMs: number; p99Ms: number }
}

export interface Run {
  rounds: number
  noise: Noise
  /** What the load gets from the provider without a proxy, in MB per second: the upper bound of every throughput. */
  directMegabytesPerSecond: number
  measurements: Measurement[]
}

/** The figures of one contender, one per valid round. */
function figuresOf({ measurements }: Run, scenario: Scenario, contender: Contender, metric: string): number[] {
  return measurements
    .filter((one) => one.scenario === scenario.name && one.contender === contender)
    .flatMap((one) => one.figures?.[metric] ?? [])
}

function isReached(goal: Goal, row: Row, ours: number, plain: number): boolean {
  const figure = 'ratio' in goal ? ours / plain : ours
  const bound = 'ratio' in goal ? goal.ratio : goal.value
  return row.better === 'higher' ? figure >= bound : figure <= bound
}

/** Returns `aim`, `must` or `no`, or `–` if there is no figure. */
function verdict(row: Row, ours: number, plain: number): string {
  const needsPlain = 'ratio' in row.must || 'ratio' in row.aim
  if (Number.isNaN(ours) || (needsPlain && Number.isNaN(plain))) return '–'
  // If the aim is reached but the must is not, that is no success: both are required.
  if (!isReached(row.must, row, ours, plain)) return 'no'
  return isReached(row.aim, row, ours, plain) ? 'aim' : 'must'
}

/** Formats with three significant digits, or with all digits before the decimal point. */
function digits(figure: number): string {
  if (Number.isNaN(figure)) return '–'
  if (Math.abs(figure) >= 100) return Math.round(figure).toLocaleString('en')
  return figure.toFixed(Math.abs(figure) >= 10 ? 1 : Math.abs(figure) >= 0.1 ? 2 : 3)
}

function goalText(goal: Goal, row: Row): string {
  const sign = row.better === 'higher' ? '≥' : '≤'
  return 'ratio' in goal ? `${sign} ${goal.ratio}×` : `${sign} ${goal.value} ${row.unit}`
}

/** A line of the report: medians over the rounds, NaN if no round is valid. */
function summary(run: Run, scenario: Scenario, row: Row) {
  const medians = contenders.map((contender) => median(figuresOf(run, scenario, contender, row.metric)))
  const [ours = Number.NaN, plain = Number.NaN] = medians
  const judged = medians[contenders.indexOf(scenario.of ?? 'ours')] ?? Number.NaN
  return { medians, ratio: ours / plain, reached: verdict(row, judged, plain) }
}

/** The table in Markdown, with medians over the rounds. */
export function table(run: Run): string {
  const measured = contenders.filter((contender) => run.measurements.some((one) => one.contender === contender))
  const columns = ['scenario', ...measured, 'ours/plain', 'must', 'aim', 'reached?']
  const lines = scenarios.flatMap((scenario) =>
    scenario.rows
      .filter((row) => contenders.some((contender) => figuresOf(run, scenario, contender, row.metric).length > 0))
      .map((row) => {
        const { medians, ratio, reached } = summary(run, scenario, row)
        const figures = medians.filter((_, index) => measured.includes(contenders[index]!))
        const cells = figures.map((figure) => (Number.isNaN(figure) ? '–' : `${digits(figure)} ${row.unit}`))
        const times = Number.isNaN(ratio) ? '–' : `${digits(ratio)}×`
        return [row.label, ...cells, times, goalText(row.must, row), goalText(row.aim, row), reached]
      }),
  )
  return [columns, columns.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** The spread of the rounds: (largest − smallest) / median, one line per figure and contender. */
export function spread(run: Run): string {
  return scenarios
    .flatMap((scenario) => scenario.rows.map((row) => ({ scenario, row })))
    .map(({ scenario, row }) => {
      const parts = contenders.flatMap((contender) => {
        const figures = figuresOf(run, scenario, contender, row.metric)
        if (figures.length < 2) return []
        const percent = ((Math.max(...figures) - Math.min(...figures)) / Math.abs(median(figures))) * 100
        return `${contender} ±${Math.round(percent / 2)} %`
      })
      return parts.length > 0 ? `  ${scenario.name} ${row.metric}: ${parts.join(', ')}` : ''
    })
    .filter((line) => line !== '')
    .join('\n')
}

function version(name: string): string {
  // `require.resolve` does not work, because not every package exports its package.json.
  return JSON.parse(readFileSync(join(__dirname, '..', 'node_modules', name, 'package.json'), 'utf8')).version
}

/** Everything that was measured, as JSON: the lines of the table and every single measurement. */
export function json(run: Run): string {
  const rows = scenarios.flatMap((scenario) =>
    scenario.rows.map((row) => {
      const { medians, ratio, reached } = summary(run, scenario, row)
      const byContender = Object.fromEntries(
        contenders.map((contender, index) => [contender, rounded(medians[index]!)]),
      )
      const { label, metric, unit, must, aim } = row
      return { scenario: scenario.name, label, metric, unit, ...byContender, ratio: rounded(ratio), must, aim, reached }
    }),
  )
  const measurements = run.measurements.map(({ figures = {}, ...one }) => {
    const short = Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, rounded(figure)]))
    return { ...one, othersPercent: rounded(one.othersPercent ?? Number.NaN), figures: short }
  })
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', proxyHasCoreOfItsOwn: cores.proxy !== undefined }
  const packages = ['express', 'http-proxy-middleware'].map((name) => [name, version(name)] as const)
  const versions = { node: process.version, ...Object.fromEntries(packages) }
  const date = new Date().toISOString().slice(0, 10)
  return `${JSON.stringify({ date, machine, versions, ...run, rows, measurements }, null, 2)}\n`
}

/** Rounds to four significant digits, and turns NaN into null, because JSON has no NaN. */
function rounded(figure: number): number | null {
  return Number.isNaN(figure) ? null : Number(figure.toPrecision(4))
}
