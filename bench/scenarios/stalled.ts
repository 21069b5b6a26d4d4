import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../rig'
import type { Scenario } from '../scenario'
import { PATHS, PIECE } from '../wire'

const READERS = 40

/** 20 MB for each reader. */
const PIECES = Math.ceil(20e6 / PIECE.length)

const MIB = 1024 * 1024

/** Readers that stop reading: what the proxy holds for each, once it reads no more from the provider. */
export const stalled40: Scenario = {
  name: 'stalled-40',
  rows: [
    {
      label: '40 readers that stop reading: memory',
      metric: 'mebibytesEach',
      unit: 'MiB each',
      better: 'lower',
      must: { value: 1 },
      aim: { value: 0.25 },
    },
  ],
  async measure({ provider, load }, proxy) {
    const job = { port: proxy.port, path: PATHS.proxy }
    // Warm the process up: the first growth of its heap is not caused by readers.
    await load.ask('burst', { ...job, model: 'burst', streams: READERS, rounds: 1, forMs: 0 })
    const before = await proxy.memory()

    let written = (await provider.ask('state', null)).writtenBytes
    const start = written
    await load.ask('gather', { ...job, model: `bulk-${PIECES}`, clients: READERS, events: 1, thenStopReading: true })
    const settled = await until(async () => {
      await sleep(700)
      const last = written
      written = (await provider.ask('state', null)).writtenBytes
      return written === last
    }, 10_000)
    const after = await proxy.memory()
    await load.ask('leave', null)
    if (!settled) throw new Error('the proxy went on reading from the provider for 10 s')

    const each = (bytes: number) => bytes / MIB / READERS
    const rss = each(after.rss - before.rss)
    const held = each(after.held - before.held)
    return {
      // Memory that the process has freed but not returned to the system can be reused without `rss` growing.
      mebibytesEach: Number.isNaN(held) ? rss : Math.max(rss, held),
      rssMebibytesEach: rss,
      heldMebibytesEach: held,
      takenMebibytesEach: each(written - start),
    }
  },
}
