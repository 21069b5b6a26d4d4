import { setTimeout as sleep } from 'node:timers/promises'
import { type Rig, usageFrom } from '../rig'
import type { RunningProxy } from '../running-proxy'
import type { Figures, Scenario } from '../scenario'
import { PATHS } from '../wire'

const WARM_UP_MS = 4000
const WINDOW_MS = 4000

/** Many slow streams: the proxy's CPU time per event, from when all streams run until before they end. */
function drip(streams: number): Scenario {
  return {
    name: `drip-${streams}`,
    rows: [
      {
        label: `${streams} streams, an event each 20 ms: CPU per event`,
        metric: 'microsPerEvent',
        unit: 'µs',
        better: 'lower',
        must: { ratio: 0.95 },
        aim: { ratio: 0.8 },
      },
    ],
    measure: (rig, proxy) => measure(rig, proxy, streams),
  }
}

async function measure({ provider, load }: Rig, proxy: RunningProxy, streams: number): Promise<Figures> {
  const { port } = proxy
  await load.ask('gather', {
    port,
    path: PATHS.proxy,
    model: 'drip',
    clients: streams,
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
}

export const drip500 = drip(500)
/** For machines that 500 keep fully busy: there, nothing can be compared. */
export const drip200 = drip(200)
