import type { Attributes, Meter } from '@opentelemetry/api'
import type { ExchangeRecord } from '../api/record.js'
import type { AppLabels } from './app-labels.js'
import { isCount, seconds } from './figures.js'
import { type Call, errorTypeOf } from './genai-call.js'
import type { ModelNames } from './model-names.js'
import { uniformUsage } from './uniform-usage.js'

/** The value shared by models, and values of labels, without one of their own, named as the conventions do for HTTP methods. */
export const OTHER = '_OTHER'

/** Options for counting calls. */
interface CountingOptions {
  readonly models: ModelNames
  readonly labels: AppLabels
  readonly countEstimates: boolean
}

/**
 * Metrics of calls, with the buckets that the conventions advise. They include those of a `server`, which the
 * conventions define for anything that serves a model, as we do for our clients.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-metrics.md
 */
export class GenAiMetrics {
  readonly #options: CountingOptions
  readonly #duration
  readonly #tokens
  readonly #firstToken
  readonly #perToken

  constructor(meter: Meter, options: CountingOptions) {
    this.#options = options
    const histogram = (name: string, unit: string, description: string, explicitBucketBoundaries: number[]) =>
      meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries } })

    this.#duration = histogram(
      'gen_ai.client.operation.duration',
      's',
      'GenAI operation duration.',
      [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
    )
    this.#tokens = histogram(
      'gen_ai.client.token.usage',
      '{token}',
      'Number of input and output tokens used.',
      [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864],
    )
    this.#firstToken = histogram(
      'gen_ai.server.time_to_first_token',
      's',
      'Time to generate first token for successful responses.',
      [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    )
    this.#perToken = histogram(
      'gen_ai.server.time_per_output_token',
      's',
      'Time per output token generated after the first token for successful responses.',
      [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5],
    )
  }

  /** Counts a call that has ended. */
  count(call: Call, record: ExchangeRecord): void {
    const { firstTokenMs, durationMs } = record
    const usage = uniformUsage(record)
    const model = this.#options.models.of(record)
    const attributes = omitUndefined({
      ...this.#options.labels.boundedOf(record),
      ...call.attributes,
      'gen_ai.request.model': record.model === undefined ? undefined : model,
      // A provider that accepts any model name may also return it as the response's model.
      'gen_ai.response.model': model === OTHER ? undefined : record.responseModel,
    })
    const errorType = errorTypeOf(record)
    this.#duration.record(seconds(durationMs), omitUndefined({ ...attributes, 'error.type': errorType }))
    // The conventions forbid reporting usage that the provider did not report, unless the user asks for it.
    if (usage && (!usage.estimated || this.#options.countEstimates)) {
      const { inputTokens, outputTokens } = usage
      if (isCount(inputTokens)) this.#tokens.record(inputTokens, { ...attributes, 'gen_ai.token.type': 'input' })
      if (isCount(outputTokens)) this.#tokens.record(outputTokens, { ...attributes, 'gen_ai.token.type': 'output' })
    }
    if (errorType !== undefined || firstTokenMs === undefined) return
    this.#firstToken.record(seconds(firstTokenMs), attributes)
    if (!usage || usage.estimated || !isCount(usage.outputTokens) || usage.outputTokens <= 1) return
    this.#perToken.record(seconds((durationMs - firstTokenMs) / (usage.outputTokens - 1)), attributes)
  }
}

/** Removes undefined attributes: spans ignore them, metrics do not. */
function omitUndefined(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))
}
