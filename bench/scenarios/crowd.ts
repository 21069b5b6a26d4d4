import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../rig'
import type { Scenario } from '../scenario'
import { PATHS } from '../wire'

const CLIENTS = 1000
const PROBE_INTERVAL_MS = 10
const WINDOW_MS = 3000
const KIB = 1024

/** Many clients that ask the same at the same moment, of a model that writes an event each 20 ms. */
export const crowd1000: Scenario = {
  name: 'crowd-1000',
  of: 'joined',
  rows: [
    {
      label: '1,000 clients that ask the same: health probe p99 beside them',
      metric: 'healthP99',
      unit: 'ms',
      better: 'lower',
      must: { value: 20 },
      aim: { value: 10 },
    },
    {
      label: '– memory of each',
      metric: 'kibibytesEach',
      unit: 'KiB',
      better: 'lower',
      must: { value: 64 },
      aim: { value: 32 },
    },
  ],
  async measure({ provider, load, probe }, proxy) {
    const job = { port: proxy.port, path: PATHS.proxy, events: 1, thenStopReading: false }
    // Warm the process up: the first growth of its heap is not caused by the crowd.
    await load.ask('gather', { ...job, model: 'drip', clients: 50 })
    await provider.ask('finishDrips', null)
    await load.ask('whenEnded', null)
    await load.ask('leave', null)
    const before = await proxy.memory()
    await load.ask('gather', { ...job, model: 'drip', clients: CLIENTS })
    await probe.ask('warmUp', { port: proxy.port, forMs: 500 })
    await probe.ask('start', { port: proxy.port, intervalMs: PROBE_INTERVAL_MS })
    const eventsBefore = await load.ask('counted', null)
    await sleep(WINDOW_MS)
    const events = (await load.ask('counted', null)) - eventsBefore
    const health = await probe.ask('stop', null)
    const after = await proxy.memory()
    const { drips } = await provider.ask('state', null)
    await provider.ask('finishDrips', null)
    await load.ask('whenEnded', null)
    await load.ask('leave', null)
    await until(async () => (await provider.ask('state', null)).drips === 0, 2000)
    const each = (bytes: number) => bytes / KIB / CLIENTS
    return {
      healthMedian: health.medianMs,
      healthP99: health.p99Ms,
      kibibytesEach: Math.max(each(after.rss - before.rss), each(after.held - before.held)),
      eventsPerSecond: events / (WINDOW_MS / 1000),
      providerStreams: drips,
    }
  },
}
