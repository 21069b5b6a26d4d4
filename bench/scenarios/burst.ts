import { type Rig, usageFrom } from '../rig'
import type { RunningProxy } from '../running-proxy'
import type { Figures, Scenario } from '../scenario'
import { PATHS } from '../wire'

/** Long enough for several samples above the p99, short enough for three rounds. */
const FOR_MS = 2500

/** Until the code that handles bursts is compiled: after one second, a proxy reaches half of its later throughput. */
const WARM_UP_MS = 4000

const PROBE_INTERVAL_MS = 10

/**
 * Bursting streams together with a health probe. The warm-up uses as many streams as the measurement, because TCP only
 * opens a connection's window during its first stream, and connections to the provider are kept alive.
 */
async function measure({ load, probe }: Rig, proxy: RunningProxy, streams: number): Promise<Figures> {
  const { port } = proxy
  const job = { port, path: PATHS.proxy, streams }
  await probe.ask('warmUp', { port, forMs: 500 })
  await load.ask('burst', { ...job, model: 'burst-short', rounds: 2, forMs: WARM_UP_MS })
  await probe.ask('start', { port, intervalMs: PROBE_INTERVAL_MS })
  const usage = await usageFrom(proxy)
  const { megabytesPerSecond, roundMs } = await load.ask('burst', { ...job, model: 'burst', rounds: 1, forMs: FOR_MS })
  const { cpuPercent } = await usage()
  const health = await probe.ask('stop', null)
  return {
    throughput: megabytesPerSecond,
    roundMs,
    cpuPercent,
    healthMedian: health.medianMs,
    healthP99: health.p99Ms,
    healthMax: health.maxMs,
    healthSamples: health.count,
  }
}

export const burst20: Scenario = {
  name: 'burst-20',
  rows: [
    {
      label: '20 streams of 4,000 events, bursting: throughput',
      metric: 'throughput',
      unit: 'MB/s',
      better: 'higher',
      must: { ratio: 2 },
      aim: { ratio: 3 },
    },
    {
      label: '– health probe p99 beside them',
      metric: 'healthP99',
      unit: 'ms',
      better: 'lower',
      must: { ratio: 0.1 },
      aim: { value: 10 },
    },
  ],
  measure: (rig, proxy) => measure(rig, proxy, 20),
}

export const burst200: Scenario = {
  name: 'burst-200',
  rows: [
    {
      label: '200 such streams: throughput',
      metric: 'throughput',
      unit: 'MB/s',
      better: 'higher',
      must: { ratio: 1.6 },
      aim: { ratio: 2 },
    },
    {
      label: '– health probe median',
      metric: 'healthMedian',
      unit: 'ms',
      better: 'lower',
      must: { ratio: 0.01 },
      aim: { value: 1 },
    },
  ],
  measure: (rig, proxy) => measure(rig, proxy, 200),
}
