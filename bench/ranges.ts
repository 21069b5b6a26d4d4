/**
 * Combines several runs on one line of Node: `npm run bench:ranges -- one.json another.json`. Each round of each run is
 * one comparison. The resulting ranges replace those in `ranges.json`, from which `npm run docs` writes the published
 * figures: ours divided by plain's for that line of Node, and each variant of ours divided by ours.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Contender, type Variant, variants } from './contenders'
import type { Run } from './report'
import type { Row, Scenario } from './scenario'
import { scenarios } from './scenarios'
import { median } from './stats'

/** Two contenders: the figure of the first is divided by that of the second. */
type Pair = readonly [Contender, Contender]

/** The ratios of one row, for each round that has both contenders. */
function ratiosOf({ measurements }: Run, scenario: Scenario, { metric }: Row, [one, other]: Pair): number[] {
  const figure = (round: number, contender: Contender) =>
    measurements.find((each) => each.scenario === scenario.name && each.contender === contender && each.round === round)
      ?.figures?.[metric]
  const rounds = [...new Set(measurements.map(({ round }) => round))]
  return rounds.flatMap((round) => {
    const [dividend, divisor] = [figure(round, one), figure(round, other)]
    return dividend === undefined || divisor === undefined ? [] : [dividend / divisor]
  })
}

/** The rows that these runs have of a pair, each with the range of its ratios. */
function ranges(runs: readonly Run[], pair: Pair) {
  return scenarios.flatMap((scenario) =>
    scenario.rows.flatMap((row) => {
      const ratios = runs.flatMap((run) => ratiosOf(run, scenario, row, pair))
      if (ratios.length === 0) return []
      const [least, most] = [Math.min(...ratios), Math.max(...ratios)]
      const [worst, best] = row.better === 'higher' ? [least, most] : [most, least]
      const { label, metric, better } = row
      const must = 'ratio' in row.must ? row.must.ratio : null
      const figures = { worst: short(worst), best: short(best), median: short(median(ratios)) }
      return [{ scenario: scenario.name, metric, label, better, ...figures, must, rounds: ratios.length }]
    }),
  )
}

/** The rows of the scenarios whose goals are about this variant, each with the range of its figures. */
function values(runs: readonly Run[], variant: Variant) {
  return scenarios
    .filter((scenario) => scenario.of === variant)
    .flatMap(({ name, rows }) => rows.map((row) => ({ name, row })))
    .flatMap(({ name, row: { metric, unit } }) => {
      const all = runs
        .flatMap(({ measurements }) => measurements)
        .filter((each) => each.scenario === name && each.contender === variant)
        .flatMap(({ figures }) => figures?.[metric] ?? [])
      if (all.length === 0) return []
      return [{ scenario: name, metric, unit, from: Math.min(...all), to: Math.max(...all), rounds: all.length }]
    })
}

/** Rounds to three decimals, because a range is not more precise. */
function short(ratio: number): number {
  return Number(ratio.toFixed(3))
}

/** The major versions with which a run was made. */
function majorsOf({ versions }: { versions: Record<string, string> }) {
  const major = (name: string) => /\d+/.exec(versions[name] ?? '')?.[0] ?? 'unknown'
  return { node: major('node'), 'http-proxy-middleware': major('http-proxy-middleware') }
}

const runs = process.argv
  .slice(2)
  .map((file): Run & { date: string; versions: Record<string, string> } => JSON.parse(readFileSync(file, 'utf8')))
const [first] = runs
if (!first) throw new Error('which runs? npm run bench:ranges -- one.json another.json')
const majors = majorsOf(first)
for (const run of runs) {
  if (majorsOf(run).node !== majors.node) throw new Error('these runs are of several lines of Node: give those of one')
}
const file = join(__dirname, 'ranges.json')
const published: { sets: { node: string }[]; options: { contender: Variant }[] } = JSON.parse(
  readFileSync(file, 'utf8'),
)

const rows = ranges(runs, ['ours', 'plain'])
const others = published.sets.filter(({ node }) => node !== majors.node)
const sets =
  rows.length === 0 ? published.sets : [...others, { ...majors, rows }].sort((a, b) => Number(a.node) - Number(b.node))

const { date } = runs.at(-1) ?? first
const options = variants.flatMap((contender) => {
  const compared = ranges(runs, [contender, 'ours']).map(({ must: _, ...row }) => row)
  const own = values(runs, contender)
  if (compared.length + own.length > 0) return [{ contender, node: majors.node, date, rows: compared, values: own }]
  return published.options.filter((one) => one.contender === contender)
})

writeFileSync(file, `${JSON.stringify({ ...published, sets, options }, null, 2)}\n`)
console.table(rows.map(({ label, worst, best, median, rounds }) => ({ label, worst, best, median, rounds })))
console.log(JSON.stringify(options, null, 2))
