import {
  type Attributes,
  type Context,
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
import type { ExchangeRecord } from '../api/record.js'
import { rejectOption } from '../util/option-errors.js'
import { type AppLabelOptions, AppLabels } from './app-labels.js'
import { endAttemptSpan, startAttemptSpan } from './attempt-span.js'
import { checkOptions } from './check-options.js'
import { type Call, callAt, callOf, unsentCall } from './genai-call.js'
import { GenAiMetrics, OTHER } from './genai-metrics.js'
import { SCHEMA_URL } from './genai-names.js'
import { endSpan } from './genai-span.js'
import { type ModelNameOptions, ModelNames } from './model-names.js'

export type { AppLabelOptions } from './app-labels.js'
export type { ModelNameOptions } from './model-names.js'

/**
 * Options of {@link openTelemetryObserver}. `models` and `maxModels` limit the values of `gen_ai.request.model` in
 * metrics, where further models are `_OTHER`. Spans have every name. The labels named in `labels` become attributes of
 * these names, of spans and metrics; in metrics, values beyond `maxLabelValues` are `_OTHER`.
 *
 * @category express-ai-proxy/opentelemetry
 */
export interface OpenTelemetryObserverOptions extends ModelNameOptions, AppLabelOptions {
  /** Receives the spans. Default: the global one, even if it is set later. */
  tracerProvider?: TracerProvider
  /** Receives the metrics. Default: the global one, as it is when the first exchange ends. */
  meterProvider?: MeterProvider
  /**
   * Also counts estimated tokens in `gen_ai.client.token.usage`: those of streams that ended before the provider
   * reported them. The conventions require that users opt in. Default `false`.
   */
  countEstimates?: boolean
}

interface StartedCall extends Call {
  readonly span: Span
  /** The context in which the span is the active one. */
  readonly context: Context
  /** In the order of their starts. */
  readonly attempts: { readonly span: Span; readonly target: string; readonly host: string }[]
}

const CALLER = 'openTelemetryObserver'
const OPTIONS = ['tracerProvider', 'meterProvider', 'countEstimates', 'models', 'maxModels', 'labels', 'maxLabelValues']
const SCOPE = ['express-ai-proxy', undefined, { schemaUrl: SCHEMA_URL }] as const

/**
 * Creates an observer that traces and measures calls of models, by the OpenTelemetry semantic conventions for
 * generative AI, version 1.41.0. Pass it to middlewares in the option `observers`. One observer serves any number of
 * middlewares.
 *
 * A call is a span of kind client, from when the request is sent until the exchange has ended. Its parent is the active
 * span or, if there is none, the one that the client's `traceparent` names. The provider gets the call's own
 * `traceparent`. An exchange that fails before its request is sent is in the metrics but has no span, because nothing
 * was called. Requests that call no model (lists of models, files) have neither.
 *
 * If there may be several attempts (`targets`, `retry`), each is a span below the call's, and its target gets its own
 * `traceparent`. `server.address` of the call is then that of the target whose answer the client got.
 *
 * `error.type` is the `code` of the record, or the status of an error that the provider answered with. A client that
 * disconnects is not an error; `ai_proxy.outcome` reports it.
 *
 * @throws TypeError if an option is wrong
 * @category express-ai-proxy/opentelemetry
 */
export function openTelemetryObserver(options: OpenTelemetryObserverOptions = {}): Observer {
  checkOptions(CALLER, options, OPTIONS)
  const { tracerProvider = trace.getTracerProvider(), meterProvider, countEstimates = false } = options
  if (typeof tracerProvider?.getTracer !== 'function') {
    rejectOption(CALLER, 'tracerProvider', tracerProvider, 'a TracerProvider')
  }
  if (meterProvider !== undefined && typeof meterProvider?.getMeter !== 'function') {
    rejectOption(CALLER, 'meterProvider', meterProvider, 'a MeterProvider')
  }
  if (typeof countEstimates !== 'boolean') rejectOption(CALLER, 'countEstimates', countEstimates, 'true or false')

  const tracer = tracerProvider.getTracer(...SCOPE)
  const models = new ModelNames(options, OTHER)
  // Attributes of the conventions have dots in their names, which labels cannot have.
  const labels = new AppLabels(CALLER, options, [], OTHER)
  // Created late: unlike a tracer, a meter obtained from the API before the SDK is set up never measures anything.
  let genAiMetrics: GenAiMetrics | undefined
  const count = (...ended: Parameters<GenAiMetrics['count']>) => {
    genAiMetrics ??= new GenAiMetrics((meterProvider ?? metrics.getMeterProvider()).getMeter(...SCOPE), {
      models,
      labels,
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
      const withSpan = trace.setSpan(parent, span)
      started.set(exchange.id, { ...call, span, context: withSpan, attempts: [] })
      return traceHeaders(withSpan)
    },

    onAttempt(attempt, { id }) {
      const call = started.get(id)
      if (!call) return undefined
      const span = startAttemptSpan(tracer, attempt, call.context)
      const { target, host } = attempt
      call.attempts.push({ span, target, host })
      return traceHeaders(trace.setSpan(call.context, span))
    },

    onFinish(record) {
      const call = started.get(record.id)
      started.delete(record.id)
      if (call) endCall(call, record, labels.allOf(record))
      const counted = call ? servedCall(call, record) : unsentCall(record)
      if (counted) count(counted, record)
    },
  }
}

/** Returns the headers that continue a trace at the provider. */
function traceHeaders(within: Context): Record<string, string> {
  const headers: Record<string, string> = {}
  // Baggage belongs to the app, and the provider is a third party.
  propagation.inject(propagation.deleteBaggage(within), headers)
  return headers
}

/** Ends the spans of an exchange. */
function endCall(call: StartedCall, record: ExchangeRecord, labels: Attributes): void {
  const { span, attempts } = call
  for (const [at, attempt] of record.attempts.entries()) {
    const started = attempts[at]
    if (started) endAttemptSpan(started.span, attempt)
  }
  if (attempts.length > 0) {
    span.setAttributes({
      ...servedCall(call, record).attributes,
      'ai_proxy.target': record.target,
      'ai_proxy.attempts': record.attempts.length,
    })
  }
  endSpan(span, record, labels)
}

/** Returns the call as it was made at the target whose answer the client got. */
function servedCall(call: StartedCall, record: ExchangeRecord): Call {
  const served = call.attempts.find(({ target }) => target === record.target)
  return served ? callAt(served.host, call, record.format) : call
}
