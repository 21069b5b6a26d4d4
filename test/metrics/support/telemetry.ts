import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Context,
  type ContextManager,
  context,
  metrics,
  propagation,
  ROOT_CONTEXT,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api'
import {
  AggregationTemporality,
  DataPointType,
  type HistogramMetricData,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type Sampler,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'

/** The SDKs, with exporters that keep what they get. */
export function telemetry(sampler?: Sampler) {
  const spans = new InMemorySpanExporter()
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  const tracerProvider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(spans)],
    ...(sampler && { sampler }),
  })

  /** The points of a metric; `undefined` where nothing was recorded. */
  async function pointsOf(metric: string) {
    await meterProvider.forceFlush()
    const scopes = exporter.getMetrics().at(-1)?.scopeMetrics ?? []
    const found = scopes.flatMap((scope) => scope.metrics).find(({ descriptor }) => descriptor.name === metric)
    if (found && found.dataPointType !== DataPointType.HISTOGRAM) throw new TypeError(`${metric} is no histogram`)
    return found as HistogramMetricData | undefined
  }

  return {
    tracerProvider,
    meterProvider,
    exporter,
    get spans() {
      return spans.getFinishedSpans()
    },
    pointsOf,
    /** Of each point: its attributes, the sum and the number of its values. */
    async sumsOf(metric: string) {
      const points = (await pointsOf(metric))?.dataPoints ?? []
      return points.map(({ attributes, value: { sum, count } }) => ({ attributes, sum, count }))
    },
    close: () => meterProvider.shutdown(),
  }
}

/** What apps set up once: the W3C's headers, and contexts that follow asynchronous calls. @returns what undoes it */
export function setUpGlobals(): () => void {
  propagation.setGlobalPropagator(new W3cHeaders())
  context.setGlobalContextManager(new Contexts())
  return () => {
    for (const api of [propagation, context, trace, metrics]) api.disable()
  }
}

/** https://www.w3.org/TR/trace-context/, as far as tests need it, and baggage. */
class W3cHeaders implements TextMapPropagator {
  inject(from: Context, carrier: unknown, setter: TextMapSetter): void {
    const span = trace.getSpanContext(from)
    if (!span || !trace.isSpanContextValid(span)) return
    setter.set(carrier, 'traceparent', `00-${span.traceId}-${span.spanId}-0${span.traceFlags}`)
    if (propagation.getBaggage(from)) setter.set(carrier, 'baggage', 'some')
  }

  extract(into: Context, carrier: unknown, getter: TextMapGetter): Context {
    const header = getter.get(carrier, 'traceparent')
    const [, traceId, spanId, flags] = /^00-(\w{32})-(\w{16})-0([01])$/.exec(String(header)) ?? []
    if (traceId === undefined || spanId === undefined) return into
    return trace.setSpanContext(into, { traceId, spanId, traceFlags: Number(flags), isRemote: true })
  }

  fields(): string[] {
    return ['traceparent', 'baggage']
  }
}

class Contexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>()

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    within: Context,
    act: F,
    self?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(within, () => act.call(self, ...args))
  }

  bind<T>(_: Context, target: T): T {
    return target
  }

  enable(): this {
    return this
  }

  disable(): this {
    return this
  }
}
