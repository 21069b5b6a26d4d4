/**
 * Runs hundreds of exchanges at a time, of all kinds and outcomes, for some minutes, through a proxy in its own process:
 *   node --expose-gc --import tsx test/soak/run.ts [--minutes 5] [--clients 400]
 * Exits with 1 if something grows, or if an exchange does not have exactly the record that its kind must have.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Child, start } from '../../bench/children.js'
import { until } from '../e2e/support/waiting.js'
import { Accounts } from './accounts.js'
import { Crowd } from './crowd.js'
import { showEnd, showProgress } from './progress.js'
import { SoakProvider } from './provider.js'
import type { ProxyApi, Told } from './proxy.js'
import type { Sample } from './sample.js'
import { type Soak, verdicts } from './verdicts.js'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '5' }, clients: { type: 'string', default: '400' } },
})
const [minutes, clients] = [Number(values.minutes), Number(values.clients)]

/** Nothing is in progress between laps, so what is held then is leaked. The first lap is the warm-up. */
const LAPS = 6
const lapMs = (minutes * 60_000) / (LAPS + 1)
const ROLL_MS = 2000
const WARM_MS = 500
const SAMPLE_MS = 2000

/** Repeats something until told to stop, then waits for the last time. */
function again(everyMs: number, act: () => Promise<unknown>): () => Promise<void> {
  const stopped = new AbortController()
  const going = (async () => {
    while (!stopped.signal.aborted) {
      await sleep(everyMs, undefined, { signal: stopped.signal }).catch(() => {})
      await act()
    }
  })()
  return () => {
    stopped.abort()
    return going
  }
}

async function main(): Promise<boolean> {
  const cleanUps: (() => unknown)[] = []
  const accounts = new Accounts()
  const provider = new SoakProvider(accounts.attempts)
  const url = await provider.listen({ after: (run) => void cleanUps.push(run as () => unknown) })
  const command = [process.execPath, '--expose-gc', '--import', 'tsx', require.resolve('./proxy.ts')]
  const proxy = new Child<ProxyApi>(start(undefined, command, true))
  proxy.process.on('message', ({ ended }: Partial<Told>) => ended && accounts.record(...ended))
  const crowd = new Crowd(await proxy.ask('start', url), provider, accounts)

  const sample = async (collections: number): Promise<Sample> => ({
    ...(await proxy.ask('sample', collections)),
    upstream: provider.connections,
  })
  const first = await sample(5)
  const [busy, quiet]: [Sample[], Sample[]] = [[], []]
  const since = performance.now()
  let warm = 0
  for (let lap = 0; lap <= LAPS; lap++) {
    const stopRolling = again(ROLL_MS, () => proxy.ask('roll', null))
    const stopWarming = again(WARM_MS, () => proxy.ask('warm', null))
    const stopWatching = again(SAMPLE_MS, async () => {
      busy.push(await sample(1))
      showProgress(since, accounts, busy.at(-1)!)
    })
    await crowd.goOnFor(lapMs, clients)
    await stopRolling()
    await stopWarming()
    await stopWatching()
    quiet.push(await sample(5))
    if (lap === 0) warm = accounts.begun
  }
  crowd.close()
  const counted = await proxy.ask('closeAll', null)
  // A closed connection is noticed with a delay; a leak stays.
  await until(() => provider.connections === 0, '').catch(() => {})
  const end = await sample(5)
  const soak: Soak = {
    accounts,
    counted,
    clients,
    start: first,
    quiet,
    end,
    exchangesBetween: accounts.begun - warm,
    busy,
  }
  const all = verdicts(soak)
  showEnd(soak, all)
  await proxy.stop()
  for (const run of cleanUps) await run()
  return all.every(({ isFine }) => isFine)
}

void main().then((isFine) => process.exit(isFine ? 0 : 1))
