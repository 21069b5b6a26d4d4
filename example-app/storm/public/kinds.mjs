import { ms } from '../units.mjs'

const MIB = 1024 * 1024
const mib = (bytes) => `${Math.round(bytes / MIB)} MiB`

/**
 * What is shown of each kind of storm: the curve, the sentence above it, and whether that is good news. What a proxy did
 * is what its processes told; nothing here knows which of the two it looks at.
 */
export const kinds = {
  burst: {
    title: 'Latency of /health while answers burst through the route',
    unit: 'ms',
    atLeast: 20,
    points: ({ probes }) => probes.map(([at, took]) => [at / 1000, took]),
    headline: ({ latency }) => `median ${ms(latency.median)}, p99 ${ms(latency.p99)}`,
    // Up to a tenth of a second an answer seems to come at once: https://www.nngroup.com/articles/response-times-3-important-limits/
    isGood: ({ latency }) => latency.p99 < 100,
  },
  leave: {
    title: 'Streams that the provider generates; all clients leave half-way',
    unit: '',
    atLeast: 1,
    points: ({ at, generating }) => [[at / 1000, generating]],
    marks: (seconds) => [{ at: seconds / 2, text: 'they leave' }],
    headline: ({ stoppedAfterMs, generating }) =>
      stoppedAfterMs === undefined
        ? `the provider still generates ${generating} streams`
        : `the provider had stopped after ${ms(stoppedAfterMs)}`,
    isGood: ({ stoppedAfterMs }) => stoppedAfterMs !== undefined,
  },
  stall: {
    title: 'Memory of the proxy while its clients do not read an endless answer',
    unit: 'MiB',
    atLeast: 50,
    points: ({ at, rssBytes }) => [[at / 1000, rssBytes / MIB]],
    headline: ({ memoryBefore, memoryPeak }) =>
      `from ${mib(memoryBefore)} to ${mib(memoryPeak)}: ${memoryPeak < memoryBefore * 2 ? 'flat' : 'it grows'}`,
    isGood: ({ memoryBefore, memoryPeak }) => memoryPeak < memoryBefore * 2,
  },
  break: {
    title: 'The last that a client got when the provider broke off in the middle of an event',
    headline: ({ crowd }, streams) => {
      if (crowd.told > 0) return `${crowd.told} of ${streams} clients got an error event`
      const waiting = streams - crowd.ended
      const ways = [waiting > 0 && `${waiting} still wait`, crowd.cut > 0 && `${crowd.cut} cut off`]
      return `no client was told: ${ways.filter(Boolean).join(', ')}`
    },
    isGood: ({ crowd }, streams) => crowd.told === streams,
  },
}

export const figures = [
  ['/health, median', ({ latency }) => ms(latency.median)],
  ['/health, p99', ({ latency }) => ms(latency.p99)],
  ['/health, worst', ({ latency, unanswered }) => (unanswered ? `${unanswered} unanswered` : ms(latency.worst))],
  ['Carried to clients', ({ megabytesPerSecond }) => `${megabytesPerSecond.toFixed(1)} MB/s`],
  ['Memory, at most', ({ memoryPeak }) => mib(memoryPeak)],
]
