import { setTimeout as sleep } from 'node:timers/promises'
import { usageFrom } from '../rig'
import type { Scenario } from '../scenario'
import { PATHS } from '../wire'

const STREAMS = 5000
const SILENT_MS = 5000

/** Many open streams on which nothing happens: the memory for each, and the CPU time from open to close. */
export const silent5000: Scenario = {
  name: 'silent-5000',
  rows: [
    {
      label: '5,000 open, silent streams: memory',
      metric: 'kibibytesEach',
      unit: 'KiB each',
      better: 'lower',
      must: { ratio: 1.2 },
      aim: { ratio: 0.8 },
    },
    {
      label: '– CPU to open one, to keep it silent for 5 s and to close it',
      metric: 'cpuMicrosEach',
      unit: 'µs each',
      better: 'lower',
      must: { ratio: 1.2 },
      aim: { ratio: 0.8 },
    },
  ],
  async measure({ provider, load }, proxy) {
    const job = { port: proxy.port, path: PATHS.proxy }
    const before = await proxy.memory()
    const usage = await usageFrom(proxy)
    await load.ask('gather', { ...job, model: 'silent', clients: STREAMS, events: 1, thenStopReading: false })
    await sleep(SILENT_MS)
    const open = await usage()
    const after = await proxy.memory()
    const closing = await usageFrom(proxy)
    await provider.ask('finishDrips', null)
    await load.ask('whenEnded', null)
    const closed = await closing()
    await load.ask('leave', null)
    const each = (bytes: number) => bytes / 1024 / STREAMS
    const held = each(after.held - before.held)
    const rss = each(after.rss - before.rss)
    return {
      kibibytesEach: Number.isNaN(held) ? rss : Math.max(held, rss),
      rssKibibytesEach: rss,
      heldKibibytesEach: held,
      cpuMicrosEach: (open.cpuMicros + closed.cpuMicros) / STREAMS,
    }
  },
}
