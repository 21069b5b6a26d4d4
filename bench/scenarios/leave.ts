import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../rig'
import type { Scenario } from '../scenario'
import { EVENTS_PER_PIECE, PATHS, PIECE } from '../wire'

const CLIENTS = 30

/** What each client has received before it leaves: 5 MiB. The stream then drips, so that only the leaving is measured. */
const PIECES = Math.ceil((5 * 1024 * 1024) / PIECE.length)

/** Short, so that several samples see a stall of a few milliseconds. */
const PROBE_INTERVAL_MS = 1

const BEFORE_MS = 200
const AFTER_MS = 800

/** Many clients leave long streams at the same moment: how that affects others within the second around it. */
export const leave30: Scenario = {
  name: 'leave-30',
  rows: [
    {
      label: '30 clients leave 5 MiB streams at once, metered: health probe p99',
      metric: 'healthP99',
      unit: 'ms',
      better: 'lower',
      must: { value: 10 },
      aim: { value: 5 },
    },
  ],
  async measure({ provider, load, probe }, { port, outputTokens }) {
    await probe.ask('warmUp', { port, forMs: 500 })
    const job = { port, path: PATHS.proxy, model: `bulk-${PIECES}` as const, clients: CLIENTS }
    await load.ask('gather', { ...job, events: PIECES * EVENTS_PER_PIECE, thenStopReading: false })
    await sleep(BEFORE_MS)
    await probe.ask('start', { port, intervalMs: PROBE_INTERVAL_MS })
    await sleep(BEFORE_MS)
    await load.ask('leave', null)
    await sleep(AFTER_MS)
    const health = await probe.ask('stop', null)
    await until(async () => (await provider.ask('state', null)).drips === 0, 500)
    const { drips } = await provider.ask('state', null)
    const metered = await outputTokens()
    if (metered === 0) throw new Error('the streams were not metered')
    await provider.ask('finishDrips', null)
    return {
      healthP99: health.p99Ms,
      healthMedian: health.medianMs,
      healthMax: health.maxMs,
      /** Output tokens of the 30 streams according to the proxy's records; 0 for a proxy that does not count. */
      meteredTokens: metered ?? 0,
      /** Streams to which the provider still sent more than a second after their clients had left. */
      orphans: drips,
    }
  },
}
