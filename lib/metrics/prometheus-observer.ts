import type { Metric, OpenMetricsContentType, PrometheusContentType, Registry } from 'prom-client'
import type { Observer } from '../api/observer.js'
import type { ExchangeRecord } from '../api/record.js'
import type { AiProxyStats } from '../api/stats.js'
import { rejectOption } from '../util/option-errors.js'
import { type AppLabelOptions, AppLabels } from './app-labels.js'
import { attemptReason } from './attempt-reason.js'
import { checkOptions } from './check-options.js'
import { EventLoopDelay } from './event-loop-delay.js'
import { isCount, seconds } from './figures.js'
import { type ModelNameOptions, ModelNames } from './model-names.js'
import { createMetrics, metricLabels } from './prometheus-metrics.js'
import { uniformUsage } from './uniform-usage.js'

export type { AppLabelOptions } from './app-labels.js'
export type { ModelNameOptions } from './model-names.js'

/**
 * Options of {@link prometheusObserver}. Models beyond `models` and `maxModels` get the label `other`; so do values of the
 * app's labels beyond `maxLabelValues`, and an exchange that does not have one of them gets `none`. Names of labels that
 * the metrics have already (`model`, `outcome`, …), and names that begin with two underscores, are refused.
 *
 * @category express-ai-proxy/prometheus
 */
export interface PrometheusObserverOptions extends ModelNameOptions, AppLabelOptions {
  /** The prom-client registry for the metrics: `register` of prom-client, or one of your own. */
  register: Registry<PrometheusContentType> | Registry<OpenMetricsContentType>
  /** Prefix of the metrics' names. Default `ai_proxy_`. */
  prefix?: string
}

/**
 * An observer that keeps Prometheus metrics.
 *
 * @category express-ai-proxy/prometheus
 */
export interface PrometheusObserver extends Observer {
  /**
   * Stops measuring the event loop, and removes the metrics from the registry, so that another observer can be created
   * on it. The process can end without it.
   */
  close(): void
}

const CALLER = 'prometheusObserver'

const tokenKinds = [
  ['input', 'inputTokens'],
  ['output', 'outputTokens'],
  ['cached_input', 'cachedInputTokens'],
  ['cache_write', 'cacheWriteTokens'],
  ['reasoning', 'reasoningTokens'],
] as const

/**
 * Creates an observer that keeps Prometheus metrics. Pass it to middlewares in the option `observers`. One observer
 * serves any number of middlewares, and counts their sum. It starts to measure the delay of the event loop at once.
 *
 * The label `model` is the name in the request, `none` if it has none, and `other` if the name has no label value of
 * its own (see `models` and `maxModels`). Rejected requests for models that no request ever got are therefore `other`.
 * The label `target` is the name of the target in the record, or `none` if none was asked.
 *
 * @throws TypeError if an option is wrong
 * @throws Error if the registry already has metrics of these names, most likely those of another observer
 * @category express-ai-proxy/prometheus
 */
export function prometheusObserver(options: PrometheusObserverOptions): PrometheusObserver {
  checkOptions(CALLER, options, ['register', 'prefix', 'models', 'maxModels', 'labels', 'maxLabelValues'])
  const { register, prefix = 'ai_proxy_' } = options
  if (typeof register?.registerMetric !== 'function')
    rejectOption(CALLER, 'register', register, 'a registry of prom-client')
  if (typeof prefix !== 'string' || !/^([a-z_:][\w:]*)?$/i.test(prefix)) {
    rejectOption(CALLER, 'prefix', prefix, 'letters, digits, _ and :, no digit at the start')
  }
  const models = new ModelNames(options, 'other')
  const appLabels = new AppLabels(CALLER, options, metricLabels, 'other')
  const internal = appLabels.names.find((name) => name.startsWith('__'))
  if (internal !== undefined)
    rejectOption(CALLER, 'labels', internal, 'names without __ at the start, as Prometheus does')
  const proxies = new Set<{ stats(): AiProxyStats }>()
  const delay = new EventLoopDelay()
  const metrics = createMetrics(
    prefix,
    {
      stats: () => [...proxies].map((proxy) => proxy.stats()),
      takeDelays: () => delay.readAndReset(),
    },
    appLabels.names,
  )
  const absent = Object.fromEntries(appLabels.names.map((name) => [name, 'none']))
  const labelsOf = (record: ExchangeRecord): Labels => ({
    model: models.of(record) ?? 'none',
    ofApp: { ...absent, ...appLabels.boundedOf(record) },
  })
  const unregister = registerAll(register, Object.values(metrics))
  delay.start()

  return {
    onProxy: (proxy) => void proxies.add(proxy),
    onTurn: (ms) => metrics.turns.observe(seconds(ms)),
    onFinish: (record) => count(record, labelsOf(record), metrics),
    close() {
      delay.close()
      unregister()
    },
  }
}

/** What to count an exchange under. */
interface Labels {
  readonly model: string
  readonly ofApp: Readonly<Record<string, string>>
}

/** Counts an exchange that has ended. */
function count(record: ExchangeRecord, { model, ofApp }: Labels, metrics: ReturnType<typeof createMetrics>): void {
  const { format, outcome, limit, providerStatus, firstByteMs, firstTokenMs, outputTokensPerSecond } = record
  const usage = uniformUsage(record)
  const labels = { format, model, target: record.target ?? 'none', ...ofApp }
  const status = String(providerStatus ?? record.status ?? 'none')
  metrics.exchanges.inc({ ...labels, outcome, status })
  metrics.duration.observe({ ...labels, outcome }, seconds(record.durationMs))
  if (firstByteMs !== undefined) metrics.firstByte.observe(labels, seconds(firstByteMs))
  if (firstTokenMs !== undefined) metrics.firstToken.observe(labels, seconds(firstTokenMs))
  if (isCount(outputTokensPerSecond)) metrics.outputRate.observe(labels, outputTokensPerSecond)
  for (const attempt of record.attempts) {
    metrics.attempts.inc({ target: attempt.target, reason: attemptReason(attempt) })
  }
  if (isCount(record.cost)) metrics.cost.inc({ ...labels, estimated: String(record.costEstimated) }, record.cost)
  metrics.requestBytes.inc(record.requestBytes)
  metrics.upstreamBytes.inc(record.upstreamBytes)
  metrics.downstreamBytes.inc(record.downstreamBytes)
  if (record.cache) metrics.cache.inc({ result: record.cache, ...ofApp })
  if (limit !== undefined) metrics.limitHits.inc({ limit, ...ofApp })
  for (const [kind, key] of tokenKinds) {
    const tokens = usage?.[key]
    if (isCount(tokens)) metrics.tokens.inc({ ...labels, kind, estimated: String(usage?.estimated) }, tokens)
  }
}

/**
 * Registers all metrics or none.
 *
 * @returns a function that removes them
 * @throws Error if one of the names is taken
 */
function registerAll(register: PrometheusObserverOptions['register'], metrics: readonly object[]): () => void {
  // Remembers names as they are now: prom-client changes them when an OpenMetrics registry is scraped.
  const entries = metrics.map((metric) => [(metric as { name: string }).name, metric as Metric] as const)
  const taken = entries.find(([name]) => register.getSingleMetric(name) !== undefined)?.[0]
  if (taken !== undefined) {
    throw new Error(
      `${CALLER}: the registry already has a metric ${taken}. Give one observer to all middlewares, or set \`prefix\``,
    )
  }
  for (const [, metric] of entries) register.registerMetric(metric)
  return () => {
    for (const [name, metric] of entries) {
      if (register.getSingleMetric(name) === metric) register.removeSingleMetric(name)
    }
  }
}
