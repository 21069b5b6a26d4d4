import {
  context,
  type MeterProvider,
  metrics,
  propagation,
  type Span,
  SpanKind,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import type { Observer } from '../api/observer.js'
import { checkOptions, invalidOption } from './check-options.js'
import { type Call, callOf, unsentCall } from './genai-call.js'
import { GenAiMetrics, OTHER_MODEL } from './genai-metrics.js'
import { SCHEMA_URL } from './genai-names.js'
import { endSpan } from './genai-span.js'
import { type ModelNameOptions, ModelNames } from './model-names.js'

export type { ModelNameOptions } from './model-names.js'

/**
 * Options of {@link openTelemetryObserver}. `models` and `maxModels` bound `gen_ai.request.model` of the metrics, where
 * further models are `_OTHER`; spans have every name.
 *
 * @category express-ai-proxy/opentelemetry
 */
export interface OpenTelemetryObserverOptions extends ModelNameOptions {
  /** Where spans go. Default: the global one, also when it is set later. */
  tracerProvider?: TracerProvider
  /** Where metrics go. Default: the global one, as it is when the first exchange ends. */
  meterProvider?: MeterProvider
  /**
   * Counts estimated tokens in `gen_ai.client.token.usage`, too: those of streams that ended before the provider told
   * them. The conventions want this asked for. Default `false`.
   */
  countEstimates?: boolean
}

interface StartedCall extends Call {
  readonly span: Span
}

const CALLER = 'openTelemetryObserver'
const SCOPE = ['express-ai-proxy', undefined, { schemaUrl: SCHEMA_URL }] as const

/**
 * Traces and measures the calls of models that go through the middlewares that it is given to, with the option
 * `observers`, by the OpenTelemetry semantic conventions for generative AI, version 1.41.0. One observer serves any
 * number of middlewares.
 *
 * A call is a span of kind client, from when the request is sent to when the exchange has ended; its parent is the span
 * that is active or, where none is, the one that the client's `traceparent` names. The provider gets the call's own
 * `traceparent`. What fails before it is sent is in the metrics, and has no span, because nothing was called. Requests
 * that call no model (lists of models, files) have neither.
 *
 * `error.type` is the `code` of the record, or the status of an error that the provider answered with. A client that
 * leaves is no error; `ai_proxy.outcome` tells it.
 *
 * @throws TypeError where an option is wrong
 * @category express-ai-proxy/opentelemetry
 */
export function openTelemetryObserver(options: OpenTelemetryObserverOptions = {}): Observer {
  checkOptions(CALLER, options, ['tracerProvider', 'meterProvider', 'countEstimates', 'models', 'maxModels'])
  const { tracerProvider = trace.getTracerProvider(), meterProvider, countEstimates = false } = options
  if (typeof tracerProvider?.getTracer !== 'function') {
    invalidOption(CALLER, 'tracerProvider', tracerProvider, 'a TracerProvider')
  }
  if (meterProvider !== undefined && typeof meterProvider?.getMeter !== 'function') {
    invalidOption(CALLER, 'meterProvider', meterProvider, 'a MeterProvider')
  }
  if (typeof countEstimates !== 'boolean') invalidOption(CALLER, 'countEstimates', countEstimates, 'true or false')

  const tracer = tracerProvider.getTracer(...SCOPE)
  const models = new ModelNames(options, OTHER_MODEL)
  // Late: unlike a tracer, a meter got from the API before the SDK is there measures nothing, ever.
  let genAiMetrics: GenAiMetrics | undefined
  const count = (...ended: Parameters<GenAiMetrics['count']>) => {
    genAiMetrics ??= new GenAiMetrics((meterProvider ?? metrics.getMeterProvider()).getMeter(...SCOPE), {
      models,
      countEstimates,
    })
    genAiMetrics.count(...ended)
  }
  const started = new Map<string, StartedCall>()

  return {
    onRequest(exchange) {
      const call = callOf(exchange)
      if (!call) return undefined
      const active = context.active()
      const parent = trace.getSpan(active) ? active : propagation.extract(active, exchange.req.headers)
      const span = tracer.startSpan(
        call.model === undefined ? call.operation : `${call.operation} ${call.model}`,
        {
          kind: SpanKind.CLIENT,
          startTime: exchange.startedAt,
          attributes: {
            ...call.attributes,
            'gen_ai.request.model': call.model,
            // Unset means that it does not stream.
            'gen_ai.request.stream': exchange.stream || undefined,
          },
        },
        parent,
      )
      started.set(exchange.id, { ...call, span })
      const headers: Record<string, string> = {}
      // Baggage is the app's own, and the provider somebody else.
      propagation.inject(propagation.deleteBaggage(trace.setSpan(parent, span)), headers)
      return headers
    },

    onFinish(record) {
      const call = started.get(record.id)
      started.delete(record.id)
      if (call) endSpan(call.span, record)
      const counted = call ?? unsentCall(record)
      if (counted) count(counted, record)
    },
  }
}
