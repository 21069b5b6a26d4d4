/**
 * Combines several runs on one line of Node: `npm run bench:ranges -- one.json another.json`. Each round of each run is
 * one comparison. The resulting ranges replace that line's in `ranges.json`, from which `npm run docs` writes the
 * published figures.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Run } from './report'
import type { Row, Scenario } from './scenario'
import { scenarios } from './scenarios'
import { median } from './stats'

/** Our figure divided by plain's, for each round that has both. */
function ratiosOf({ measurements }: Run, scenario: Scenario, { metric }: Row): number[] {
  const figure = (round: number, contender: string) =>
    measurements.find((one) => one.scenario === scenario.name && one.contender === contender && one.round === round)
      ?.figures?.[metric]
  const rounds = [...new Set(measurements.map(({ round }) => round))]
  return rounds.flatMap((round) => {
    const [ours, plain] = [figure(round, 'ours'), figure(round, 'plain')]
    return ours === undefined || plain === undefined ? [] : [ours / plain]
  })
}

/** A line of the published table: the range of the ratios of ours to plain's. */
function ranges(runs: readonly Run[], scenario: Scenario, row: Row) {
  const ratios = runs.flatMap((run) => ratiosOf(run, scenario, row))
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)]
  const [worst, best] = row.better === 'higher' ? [least, most] : [most, least]
  const { label, metric, better } = row
  const must = 'ratio' in row.must ? row.must.ratio : null
  const figures = { worst: short(worst), best: short(best), median: short(median(ratios)) }
  return { scenario: scenario.name, metric, label, better, ...figures, must, rounds: ratios.length }
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
  .map((file): Run & { versions: Record<string, string> } => JSON.parse(readFileSync(file, 'utf8')))
const [first] = runs
if (!first) throw new Error('which runs? npm run bench:ranges -- one.json another.json')
const majors = majorsOf(first)
for (const run of runs) {
  if (majorsOf(run).node !== majors.node) throw new Error('these runs are of several lines of Node: give those of one')
}
const rows = scenarios.flatMap((scenario) =>
  scenario.rows
    .filter((row) => runs.some((run) => ratiosOf(run, scenario, row).length > 0))
    .map((row) => ranges(runs, scenario, row)),
)
const file = join(__dirname, 'ranges.json')
const published: { sets: { node: string }[] } = JSON.parse(readFileSync(file, 'utf8'))
const others = published.sets.filter(({ node }) => node !== majors.node)
const sets = [...others, { ...majors, rows }].sort((a, b) => Number(a.node) - Number(b.node))
writeFileSync(file, `${JSON.stringify({ ...published, sets }, null, 2)}\n`)
console.table(
  rows.map(({ label, worst, best, median, must, rounds }) => ({ label, worst, best, median, must, rounds })),
)
