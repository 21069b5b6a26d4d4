/** The price of one request: requests per second, and how late the first event arrives. */
import { usageFrom } from '../rig'
import type { Scenario } from '../scenario'
import { requests } from '../warm-up'
import { EVENTS_PER_STREAM, PATHS } from '../wire'

/** Here nothing but the price of a request counts: 24 seconds of them, a second at a time. */
const WARM_UP_TURNS = 24
const WARM_UP_MS = 1000

export const small: Scenario = {
  name: 'small',
  rows: [
    {
      label: 'small JSON answers: requests per second',
      metric: 'requestsPerSecond',
      unit: '/s',
      better: 'higher',
      must: { ratio: 0.95 },
      aim: { ratio: 1.1 },
    },
  ],
  windows: 20,
  warmUp: requests('json', WARM_UP_MS),
  warmUpTurns: WARM_UP_TURNS,
  async measure({ load }, proxy) {
    const usage = await usageFrom(proxy)
    const job = { port: proxy.port, path: PATHS.proxy, clients: 32, forMs: 500 }
    const { requestsPerSecond } = await load.ask('small', job)
    const { cpuPercent } = await usage()
    return { requestsPerSecond, cpuPercent }
  },
}

export const firstEvent: Scenario = {
  name: 'first-event',
  rows: [
    {
      label: 'one stream, first event’s delay added to a direct call, median',
      metric: 'addedMs',
      unit: 'ms',
      better: 'lower',
      must: { ratio: 1.1 },
      aim: { ratio: 0.8 },
    },
  ],
  windows: 8,
  warmUp: requests('first', WARM_UP_MS),
  warmUpTurns: WARM_UP_TURNS,
  measure({ load, providerPort }, { port }) {
    const job = { providerPort, proxyPort: port, model: 'first' as const, events: 1 }
    return load.ask('firstEvent', { ...job, pairs: 60, warmUp: 10 })
  },
}

/** A long stream that has arrived as a whole, at the provider's or in a cache. */
export const firstOf4000: Scenario = {
  name: 'first-of-4000',
  of: 'cached',
  rows: [
    {
      label: 'one stream of 4,000 events: delay of the first, median',
      metric: 'throughMs',
      unit: 'ms',
      better: 'lower',
      must: { value: 1 },
      aim: { value: 0.5 },
    },
  ],
  warmUp({ load }, { port }) {
    return load.ask('burst', { port, path: PATHS.proxy, model: 'burst', streams: 4, rounds: 2, forMs: 4000 })
  },
  measure({ load, providerPort }, { port }) {
    const job = { providerPort, proxyPort: port, model: 'burst' as const, events: EVENTS_PER_STREAM }
    return load.ask('firstEvent', { ...job, pairs: 200, warmUp: 50 })
  },
}
