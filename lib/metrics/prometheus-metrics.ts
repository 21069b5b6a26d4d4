import { Counter, Gauge, Histogram } from 'prom-client'
import type { TargetStats } from '../api/attempt-record.js'
import type { AiProxyStats } from '../api/stats.js'
import { sumOfDistinct } from '../exchange/journal-figures.js'
import { distinctFigures } from '../exchange/policy-figures.js'
import type { Delays } from './event-loop-delay.js'
import { TurnHistogram } from './turn-histogram.js'

/** Sources of gauges, called when the gauges are scraped. */
interface GaugeSources {
  stats(): readonly AiProxyStats[]
  takeDelays(): Delays
}

// From a cached answer to a reasoning model that thinks for minutes.
const WAIT_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
// Up to the default of `limits.maxStreamDurationMs`.
const DURATION_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800]
// From large models under load to small ones on special hardware.
const RATE_BUCKETS = [5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000]

/** Names of all labels that the metrics have, and that Prometheus gives them. */
export const metricLabels = [
  ...['format', 'model', 'target', 'outcome', 'status', 'kind', 'estimated', 'limit', 'reason'],
  ...['quantile', 'le', 'policy', 'figure', 'result'],
] as const

/**
 * Creates the metrics, keyed by their names without the prefix. They are not registered yet.
 *
 * @param appLabels names of the app's own labels, which all metrics with the label `model` have, and limits
 */
export function createMetrics(prefix: string, sources: GaugeSources, appLabels: readonly string[]) {
  const byModel: readonly string[] = ['format', 'model', 'target', ...appLabels]
  // An empty list, because prom-client would otherwise use its global registry.
  const named = (name: string, help: string) => ({ name: prefix + name, help, registers: [] })

  const gauge = (name: string, help: string, figure: (stats: readonly AiProxyStats[]) => number) =>
    new Gauge({
      ...named(name, help),
      collect() {
        this.set(figure(sources.stats()))
      },
    })
  /** A gauge for each target, of which several middlewares may have one of the same name. */
  const targetGauge = (name: string, help: string, add: (gauge: Gauge, target: TargetStats) => void) =>
    new Gauge({
      ...named(name, help),
      labelNames: ['target'],
      collect() {
        this.reset()
        for (const target of sources.stats().flatMap(({ targets }) => targets)) add(this, target)
      },
    })
  const sumOf = (key: 'active' | 'streams' | 'waitingForDrain') => (stats: readonly AiProxyStats[]) =>
    stats.reduce((sum, each) => sum + each[key], 0)

  return {
    exchanges: new Counter({
      ...named(
        'exchanges_total',
        'Finished exchanges; status is that of the provider, or of the proxy if the provider did not answer',
      ),
      labelNames: [...byModel, 'outcome', 'status'],
    }),
    tokens: new Counter({
      ...named(
        'tokens_total',
        'Tokens; cached_input and cache_write are parts of the input, and reasoning is a part of the output',
      ),
      labelNames: [...byModel, 'kind', 'estimated'],
    }),
    cost: new Counter({
      ...named(
        'cost_total',
        'Cost of exchanges, in the currency of the option prices; without models that have no price',
      ),
      labelNames: [...byModel, 'estimated'],
    }),
    firstByte: new Histogram({
      ...named('time_to_first_byte_seconds', "From the start of an exchange to the head of the provider's response"),
      labelNames: byModel,
      buckets: WAIT_BUCKETS,
    }),
    firstToken: new Histogram({
      ...named('time_to_first_token_seconds', 'From the start of an exchange to the first text of its stream'),
      labelNames: byModel,
      buckets: WAIT_BUCKETS,
    }),
    outputRate: new Histogram({
      ...named('output_tokens_per_second', 'Output tokens a second, from the first token of a stream to its end'),
      labelNames: byModel,
      buckets: RATE_BUCKETS,
    }),
    duration: new Histogram({
      ...named('duration_seconds', 'From the start of an exchange to its end'),
      labelNames: [...byModel, 'outcome'],
      buckets: DURATION_BUCKETS,
    }),
    attempts: new Counter({
      ...named('attempts_total', "Attempts at targets; reason is ok, the status of the target's error, or a code"),
      labelNames: ['target', 'reason'],
    }),
    requestBytes: new Counter(named('request_bytes_total', 'Bytes of request bodies')),
    upstreamBytes: new Counter(named('upstream_bytes_total', 'Body bytes from providers, decoded')),
    downstreamBytes: new Counter(named('downstream_bytes_total', 'Body bytes to clients')),
    limitHits: new Counter({
      ...named('limit_hits_total', 'Limits hit by exchanges'),
      labelNames: ['limit', ...appLabels],
    }),
    turns: new TurnHistogram(named('turn_seconds', 'Duration of a turn of a stream')),

    active: gauge('active_exchanges', 'Exchanges in progress', sumOf('active')),
    streams: gauge('streams', 'Streams in progress', sumOf('streams')),
    waitingForDrain: gauge('waiting_for_drain', 'Streams waiting for their client to read', sumOf('waitingForDrain')),
    // All middlewares of a process share one scheduler, and each reports the number waiting for it.
    waitingForTurn: gauge('waiting_for_turn', 'Streams of the process that are waiting for a turn', (stats) =>
      Math.max(0, ...stats.map((each) => each.waitingForTurn)),
    ),
    targetInFlight: targetGauge(
      'target_in_flight',
      'Exchanges in progress with a target',
      (gauge, { name, inFlight }) => gauge.inc({ target: name }, inFlight),
    ),
    targetCooling: targetGauge(
      'target_cooling',
      'Middlewares in which a target is left alone for a while',
      (gauge, { name, coolingUntil }) => gauge.inc({ target: name }, coolingUntil === undefined ? 0 : 1),
    ),
    policies: new Gauge({
      ...named('policy', 'Figures of policies, such as what a quota has refused and what waits in a queue'),
      labelNames: ['policy', 'figure'],
      collect() {
        this.reset()
        for (const [name, figures] of distinctFigures(sources.stats().flatMap(({ policies }) => policies))) {
          for (const [figure, value] of Object.entries(figures)) this.set({ policy: name, figure }, value)
        }
      },
    }),
    cache: new Counter({
      ...named('cache_requests_total', 'Requests whose answer may be kept or shared: hit, miss or join'),
      labelNames: ['result', ...appLabels],
    }),
    journal: new Gauge({
      ...named('journal', 'What journals hold (entries, bytes), and what has failed (failures, incomplete)'),
      labelNames: ['figure'],
      collect() {
        this.reset()
        const sums = sources.stats().flatMap(({ journal }) => journal ?? [])
        if (sums.length === 0) return
        for (const [figure, value] of Object.entries(sumOfDistinct(sums))) this.set({ figure }, value)
      },
    }),
    eventLoopDelay: new Gauge({
      ...named('event_loop_delay_seconds', 'Delays of the event loop since the last scrape; quantile 1 is the longest'),
      labelNames: ['quantile'],
      // Of several workers, report the worst one.
      aggregator: 'max',
      collect() {
        const { median, p99, max } = sources.takeDelays()
        this.set({ quantile: '0.5' }, median)
        this.set({ quantile: '0.99' }, p99)
        this.set({ quantile: '1' }, max)
      },
    }),
  }
}
