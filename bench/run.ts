/**
 * The benchmark: `npm run bench`, or in part
 * `npm run bench -- --rounds 1 --only burst-20,small --contenders ours,plain --out some-file.json`.
 *
 * The contenders take turns within each round, each in a fresh process, so that other load on the machine affects all
 * of them. The report has the medians over the rounds. A whole run writes its figures to `bench/results.json`.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { runningPids } from './children'
import { type Contender, contenders, startContender, usualContenders, whyNot } from './contenders'
import { canPin, pinThisProcess } from './cores'
import { watchOthers } from './machine'
import { json, type Measurement, type Noise, spread, table } from './report'
import { type Rig, startRig, stopRig } from './rig'
import type { RunningProxy } from './running-proxy'
import type { Figures, Scenario } from './scenario'
import { scenarios, usualScenarios } from './scenarios'
import { median } from './stats'
import { streamRequests } from './warm-up'
import { PATHS } from './wire'

/** Percentage of a core used by other processes from which the report warns. */
const DISTURBED_PERCENT = 5

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    contenders: { type: 'string' },
    out: { type: 'string' },
  },
})

/** The named items of a list, or all of them. An unknown name is an error. */
function chosen<T>(all: T[], nameOf: (one: T) => string, names: string | undefined): T[] {
  const wanted = names?.split(',')
  const unknown = wanted?.filter((name) => !all.some((one) => nameOf(one) === name)) ?? []
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}; there are ${all.map(nameOf).join(', ')}`)
  return all.filter((one) => !wanted || wanted.includes(nameOf(one)))
}

async function main(): Promise<void> {
  const rounds = Number(options.rounds)
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100)
    throw new Error(`--rounds takes 1 to 100, got ${options.rounds}`)
  const named = options.only ?? usualScenarios.map(({ name }) => name).join(',')
  const toMeasure = chosen(scenarios, (scenario) => scenario.name, named)
  const wanted = options.contenders ?? usualContenders.join(',')
  const competitors = chosen<Contender>(contenders, (contender) => contender, wanted).filter(isHere)

  pinThisProcess()
  if (!canPin) console.log('Not pinned: this needs taskset and two cores. Expect noise.')
  let rig = await startRig()
  for (const contender of competitors) await verify(rig, contender)
  const noise = await noiseOfProbe(rig, competitors[0]!)
  const { megabytesPerSecond: directMegabytesPerSecond } = await burstAt(rig, rig.providerPort, PATHS.provider)
  console.log(`without a proxy: ${Math.round(directMegabytesPerSecond)} MB/s`)

  const measurements: Measurement[] = []
  for (let round = 1; round <= rounds; round += 1) {
    for (const scenario of toMeasure) {
      const groups = scenario.windows === undefined ? competitors.map((each) => [each]) : [competitors]
      for (const group of groups) {
        const results = await measured(rig, scenario, group, round)
        measurements.push(...results)
        for (const result of results) console.log(line(result, rounds))
        if (results.every(({ invalid }) => invalid === undefined)) continue
        await stopRig(rig)
        rig = await startRig()
      }
    }
  }
  await stopRig(rig)

  const run = { rounds, noise, directMegabytesPerSecond, measurements }
  console.log(`\n${table(run)}\n\nHalf the distance between the rounds, of the median:\n${spread(run)}`)
  const whole = options.only === undefined && options.contenders === undefined
  const file = options.out ?? (whole ? join(__dirname, 'results.json') : undefined)
  if (file !== undefined) writeFileSync(file, json(run))
  const invalid = measurements.filter((measurement) => measurement.invalid !== undefined)
  if (invalid.length === 0) return
  console.log(`\nINVALID: ${invalid.length} of ${measurements.length} measurements failed, see above.`)
  process.exitCode = 1
}

function isHere(contender: Contender): boolean {
  const reason = whyNot(contender)
  if (reason !== undefined) console.log(`${contender}: left out, ${reason}`)
  return reason === undefined
}

/** Runs `use` with a fresh process of a contender, and stops the process in any case. */
async function withProxy<T>(rig: Rig, contender: Contender, use: (proxy: RunningProxy) => Promise<T>): Promise<T> {
  const proxy = await startContender(contender, rig.providerPort)
  try {
    return await use(proxy)
  } finally {
    await proxy.stop()
  }
}

/** Compares one whole stream with what the provider sent: a contender that changes bytes is not measured. */
async function verify(rig: Rig, contender: Contender): Promise<void> {
  const { load } = rig
  try {
    await withProxy(rig, contender, ({ port }) => load.ask('verify', { port, path: PATHS.proxy }))
  } catch (error) {
    throw new Error(`INVALID: ${contender} does not carry a stream whole`, { cause: error })
  }
  console.log(`${contender}: carries a stream byte for byte`)
}

/** A contender while it is measured. */
interface Measured {
  contender: Contender
  windows: { figures: Figures; othersPercent: number }[]
  invalid?: string
}

/** Measures contenders that take turns, all of them running. */
async function measured(rig: Rig, scenario: Scenario, group: Contender[], round: number): Promise<Measurement[]> {
  const all: Measured[] = group.map((contender) => ({ contender, windows: [] }))
  const proxies = new Map<Measured, RunningProxy>()
  /** Does one thing with each of them that has not failed. */
  const withEach = async (these: Measured[], act: (one: Measured) => Promise<unknown>) => {
    for (const one of these) {
      if (one.invalid !== undefined) continue
      try {
        await act(one)
      } catch (error) {
        one.invalid = error instanceof Error ? error.message : String(error)
      }
    }
  }
  await withEach(all, async (one) => proxies.set(one, await startContender(one.contender, rig.providerPort)))
  for (let turn = 0; turn < (scenario.warmUpTurns ?? 1); turn += 1) {
    await withEach(all, async (one) => (scenario.warmUp ?? streamRequests)(rig, proxies.get(one)!))
  }
  for (let window = 0; window < (scenario.windows ?? 1); window += 1) {
    await withEach(window % 2 === 0 ? all : all.toReversed(), async (one) => {
      const others = watchOthers(runningPids())
      const figures = await scenario.measure(rig, proxies.get(one)!)
      one.windows.push({ figures, othersPercent: others() })
    })
  }
  for (const proxy of proxies.values()) await proxy.stop()
  return all.map(({ contender, windows, invalid }) => {
    const about = { round, scenario: scenario.name, contender }
    if (invalid !== undefined) return { ...about, invalid }
    const othersPercent = median(windows.map((one) => one.othersPercent))
    return { ...about, figures: medians(windows.map(({ figures }) => figures)), othersPercent }
  })
}

/** The median of each figure. */
function medians(all: Figures[]): Figures {
  const names = Object.keys(all[0] ?? {})
  return Object.fromEntries(names.map((name) => [name, median(all.map((figures) => figures[name] ?? Number.NaN))]))
}

function burstAt({ load }: Rig, port: number, path: string) {
  return load.ask('burst', { port, path, model: 'burst', streams: 20, rounds: 2, forMs: 1500 })
}

/** Measures the probe against a proxy that does nothing: first on an idle machine, then with load that bypasses the proxy. */
function noiseOfProbe(rig: Rig, contender: Contender): Promise<Noise> {
  return withProxy(rig, contender, async ({ port }) => {
    const probeWhile = async (load: () => Promise<unknown>) => {
      await rig.probe.ask('start', { port, intervalMs: 5 })
      await load()
      const { medianMs, p99Ms } = await rig.probe.ask('stop', null)
      return { medianMs, p99Ms }
    }
    await rig.probe.ask('warmUp', { port, forMs: 1000 })
    const idle = await probeWhile(() => sleep(1500))
    const besideLoad = await probeWhile(() => burstAt(rig, rig.providerPort, PATHS.provider))
    const text = ({ medianMs, p99Ms }: Noise['idle']) => `median ${medianMs.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`
    console.log(`the probe’s own noise: ${text(idle)}; beside the load: ${text(besideLoad)}`)
    return { idle, besideLoad }
  })
}

function line(
  { round, scenario, contender, figures, othersPercent = 0, invalid }: Measurement,
  rounds: number,
): string {
  const texts = Object.entries(figures ?? {}).map(([name, figure]) => `${name} ${Number(figure.toPrecision(4))}`)
  if (othersPercent > DISTURBED_PERCENT) texts.push(`(others had ${Math.round(othersPercent)} % of a core)`)
  const result = invalid === undefined ? texts.join(', ') : `INVALID: ${invalid}`
  return `${round}/${rounds} ${scenario.padEnd(11)} ${contender.padEnd(5)} ${result}`
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
