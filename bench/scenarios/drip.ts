import { setTimeout as sleep } from 'node:timers/promises'
import { usageFrom } from '../rig'
import type { Scenario } from '../scenario'
import { PATHS } from '../wire'

const STREAMS = 500
const WARM_UP_MS = 4000
const WINDOW_MS = 4000

/** Many slow streams: the proxy's CPU time per event, from when all streams run until before they end. */
export const drip500: Scenario = {
  name: 'drip-500',
  rows: [
    {
      label: '500 streams, an event each 20 ms: CPU per event',
      metric: 'microsPerEvent',
      unit: 'µs',
      better: 'lower',
      must: { ratio: 0.95 },
      aim: { ratio: 0.8 },
    },
  ],
  async measure({ provider, load }, proxy) {
    const { port } = proxy
    await load.ask('gather', {
      port,
      path: PATHS.proxy,
      model: 'drip',
      clients: STREAMS,
      events: 1,
      thenStopReading: false,
    })
    await sleep(WARM_UP_MS)
    const eventsBefore = await load.ask('counted', null)
    const usage = await usageFrom(proxy)
    await sleep(WINDOW_MS)
    const events = (await load.ask('counted', null)) - eventsBefore
    const { cpuMicros, cpuPercent } = await usage()

    const { events: sent } = await provider.ask('finishDrips', null)
    await load.ask('whenEnded', null)
    const received = await load.ask('counted', null)
    await load.ask('leave', null)
    if (received !== sent) throw new Error(`${sent} events sent, ${received} received`)
    return {
      microsPerEvent: cpuMicros / events,
      cpuPercent,
      eventsPerSecond: events / (WINDOW_MS / 1000),
    }
  },
}
