/**
 * What several runs say together: `npm run bench:ranges -- one.json another.json`. Each round of each run is a comparison of
 * its own: the table has the range of their ratios, the worse end first.
 */
import { readFileSync } from 'node:fs'
import type { Run } from './report'
import type { Row, Scenario } from './scenario'
import { scenarios } from './scenarios'
import { median } from './stats'

/** Ours divided by plain's, of each round of which both are there. */
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

function line(runs: readonly Run[], scenario: Scenario, row: Row): string {
  const ratios = runs.flatMap((run) => ratiosOf(run, scenario, row))
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)]
  const [worst, best] = row.better === 'higher' ? [least, most] : [most, least]
  const text = (ratio: number) => `${ratio >= 0.1 ? ratio.toFixed(2) : ratio.toFixed(3)}×`
  const must = 'ratio' in row.must ? `${row.better === 'higher' ? '≥' : '≤'} ${row.must.ratio}×` : '–'
  return `| ${row.label} | ${text(worst)} to ${text(best)} | ${text(median(ratios))} | ${must} | ${ratios.length} |`
}

const runs = process.argv.slice(2).map((file): Run => JSON.parse(readFileSync(file, 'utf8')))
if (runs.length === 0) throw new Error('which runs? npm run bench:ranges -- one.json another.json')
const measured = scenarios.flatMap((scenario) =>
  scenario.rows
    .filter((row) => runs.some((run) => ratiosOf(run, scenario, row).length > 0))
    .map((row) => line(runs, scenario, row)),
)
console.log(
  ['| scenario | ours/plain, range | median | must | rounds |', '| --- | --- | --- | --- | --- |', ...measured].join(
    '\n',
  ),
)
