import { ms } from '../shared/format-values.mjs'
import { outage } from './outage.mjs'

const MIB = 1024 * 1024
const perSecond = (megabytes) =>
  megabytes < 1 ? `${Math.round(megabytes * 1000)} kB/s` : `${megabytes.toFixed(1)} MB/s`
const mib = (bytes) => `${Math.round(bytes / MIB)} MiB`

/**
 * What the page shows of each kind of storm: the curves, the sentence above them, and whether that is good. It judges by
 * what the processes reported, and does not know which of the two proxies it looks at. A kind without charts shows the
 * last bytes that a client got. A row of `points` is a time in seconds, and a value for each of the chart's series.
 */
export const kinds = {
  burst: {
    title: 'Latency of /health while answers burst through the route',
    charts: [
      {
        series: [{ label: 'Latency' }],
        format: (value) => `${Math.round(value)} ms`,
        atLeast: 20,
        points: ({ probes }) => probes.map(([at, took]) => [at / 1000, took]),
      },
    ],
    headline: ({ latency }) => `median ${ms(latency.median)}, p99 ${ms(latency.p99)}`,
    // People take an answer within a tenth of a second for instant: https://www.nngroup.com/articles/response-times-3-important-limits/
    isGood: ({ latency }) => latency.p99 < 100,
  },
  leave: {
    title: 'Streams that the provider generates, while all clients leave halfway',
    charts: [
      {
        series: [{ label: 'Streams' }],
        format: (value) => String(+value.toFixed(1)),
        atLeast: 1,
        points: ({ at, generating }) => [[at / 1000, generating]],
      },
    ],
    marks: (seconds) => [{ at: seconds / 2, text: 'clients leave' }],
    headline: ({ stoppedAfterMs, generating }) =>
      stoppedAfterMs === undefined
        ? `the provider still generates ${generating} streams`
        : `the provider had stopped after ${ms(stoppedAfterMs)}`,
    isGood: ({ stoppedAfterMs }) => stoppedAfterMs !== undefined,
  },
  stall: {
    title: 'Memory of the proxy while its clients do not read an endless answer',
    charts: [
      {
        series: [{ label: 'Memory' }],
        format: (value) => `${Math.round(value)} MiB`,
        atLeast: 50,
        points: ({ at, rssBytes }) => [[at / 1000, rssBytes / MIB]],
      },
    ],
    headline: ({ memoryBefore, memoryPeak }) =>
      `from ${mib(memoryBefore)} to ${mib(memoryPeak)}: ${memoryPeak < memoryBefore * 2 ? 'flat' : 'it grows'}`,
    isGood: ({ memoryBefore, memoryPeak }) => memoryPeak < memoryBefore * 2,
  },
  break: {
    title: 'The last bytes that a client got when the provider broke off in the middle of an event',
    charts: [],
    headline: ({ clients }, streams) => {
      if (clients.toldError > 0) return `${clients.toldError} of ${streams} clients got an error event`
      const waiting = streams - clients.ended
      const ways = [waiting > 0 && `${waiting} still wait`, clients.cut > 0 && `${clients.cut} were cut off`]
      return `no client got an error event: ${ways.filter(Boolean).join(', ')}`
    },
    isGood: ({ clients }, streams) => clients.toldError === streams,
  },
  outage,
}

/** The figures of a storm, each with a label and a function of the result. */
export function figuresOf({ figures = [], hasShortAnswers = false }) {
  return [...figures, ...latencies, ...(hasShortAnswers ? [] : [passedOn]), memory]
}

const latencies = [
  ['/health, median', ({ latency }) => ms(latency.median)],
  ['/health, p99', ({ latency }) => ms(latency.p99)],
  ['/health, worst', ({ latency, unanswered }) => (unanswered ? `${unanswered} unanswered` : ms(latency.worst))],
]
const passedOn = ['Passed on to clients', ({ megabytesPerSecond }) => perSecond(megabytesPerSecond)]
const memory = ['Memory, at most', ({ memoryPeak }) => mib(memoryPeak)]
