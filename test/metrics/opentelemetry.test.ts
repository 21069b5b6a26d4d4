import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { context, metrics, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace-base'
import type { Request } from 'express'
import type { ObservedAttempt, ObservedExchange } from '../../lib/api/observer.js'
import type { ExchangeRecord } from '../../lib/api/record.js'
import { type OpenTelemetryObserverOptions, openTelemetryObserver } from '../../lib/metrics/opentelemetry-observer.js'
import { attemptOf, recordOf, unknownModelRecord } from './support/records.js'
import { setUpGlobals, telemetry } from './support/telemetry.js'

let tearDown: () => void
let sdk: ReturnType<typeof telemetry>
before(() => {
  tearDown = setUpGlobals()
})
after(() => tearDown())
beforeEach(() => {
  sdk = telemetry()
})
afterEach(() => sdk.close())

function observed(options: Partial<OpenTelemetryObserverOptions> = {}) {
  const { tracerProvider, meterProvider } = sdk
  const observer = openTelemetryObserver({ tracerProvider, meterProvider, ...options })
  const seen = (exchange: Partial<ObservedExchange>, headers: Record<string, string> = {}): ObservedExchange => ({
    id: 'exchange-1',
    req: { method: 'POST', url: '/v1/chat/completions?key=secret', headers } as unknown as Request,
    format: 'openai-chat',
    model: 'gpt-4o',
    stream: true,
    subject: undefined,
    tenant: undefined,
    startedAt: 1_700_000_000_000,
    host: 'api.openai.com:443',
    ...exchange,
  })
  return {
    begin: (exchange: Partial<ObservedExchange> = {}, headers: Record<string, string> = {}) =>
      observer.onRequest?.(seen(exchange, headers)),
    attempt: (attempt: Pick<ObservedAttempt, 'target' | 'host' | 'number'> & Partial<ObservedAttempt>) =>
      observer.onAttempt?.({ model: 'gpt-4o', hedged: false, startedAt: 1_700_000_000_100, ...attempt }, seen({})),
    finish: (record: Partial<ExchangeRecord> = {}) => observer.onFinish?.(recordOf(record)),
  }
}

/** What the metrics of a call to the default host say of it. */
const called = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': 'openai',
  'gen_ai.request.model': 'gpt-4o',
  'gen_ai.response.model': 'gpt-4o-2024-08-06',
  'server.address': 'api.openai.com',
  'server.port': 443,
}

const REMOTE = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }

describe('the span of a call', () => {
  test('has the names and attributes of the conventions', () => {
    const { begin, finish } = observed()
    begin()
    assert.equal(sdk.spans.length, 0)
    finish()
    const [span] = sdk.spans
    assert.equal(span?.name, 'chat gpt-4o')
    assert.equal(span?.kind, SpanKind.CLIENT)
    assert.deepEqual(span?.status, { code: SpanStatusCode.UNSET })
    assert.deepEqual(span?.attributes, {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'server.address': 'api.openai.com',
      'server.port': 443,
      'gen_ai.request.model': 'gpt-4o',
      'gen_ai.request.stream': true,
      'gen_ai.response.model': 'gpt-4o-2024-08-06',
      'gen_ai.response.id': 'chatcmpl-1',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.input_tokens': 20,
      'gen_ai.usage.output_tokens': 11,
      'ai_proxy.time_to_first_token': 0.4,
      'ai_proxy.outcome': 'completed',
    })
    assert.deepEqual(span?.instrumentationScope, {
      name: 'express-ai-proxy',
      version: undefined,
      schemaUrl: 'https://opentelemetry.io/schemas/1.41.0',
    })
  })

  test('has the parts of the usage, added up as the conventions require', () => {
    const { begin, finish } = observed()
    begin({ format: 'anthropic', stream: false })
    const usage = { inputTokens: 1, cachedInputTokens: 20, cacheWriteTokens: 300, outputTokens: 9, reasoningTokens: 4 }
    finish({ format: 'anthropic', usage: { ...usage, estimated: true }, limit: 'idleTimeoutMs' })
    const attributes = sdk.spans[0]?.attributes ?? {}
    assert.equal(attributes['gen_ai.usage.input_tokens'], 321)
    assert.equal(attributes['gen_ai.usage.cache_read.input_tokens'], 20)
    assert.equal(attributes['gen_ai.usage.cache_creation.input_tokens'], 300)
    assert.equal(attributes['gen_ai.usage.output_tokens'], 9)
    assert.equal(attributes['gen_ai.usage.reasoning.output_tokens'], 4)
    assert.equal(attributes['ai_proxy.usage.estimated'], true)
    assert.equal(attributes['ai_proxy.limit'], 'idleTimeoutMs')
    assert.equal('gen_ai.request.stream' in attributes, false)
  })

  test('is named after its operation alone if no model is named', () => {
    const { begin, finish } = observed()
    begin({ model: undefined })
    finish({ model: undefined })
    assert.equal(sdk.spans[0]?.name, 'chat')
    assert.equal('gen_ai.request.model' in sdk.spans[0].attributes, false)
  })

  test('passes samplers the attributes that they may use', () => {
    const seen: object[] = []
    const sampling = telemetry({
      shouldSample: (_context, _traceId, name, kind, attributes) => {
        seen.push({ name, kind, ...attributes })
        return { decision: 0 }
      },
      toString: () => 'noting',
    })
    observed({ tracerProvider: sampling.tracerProvider }).begin()
    assert.deepEqual(seen, [
      {
        name: 'chat gpt-4o',
        kind: SpanKind.CLIENT,
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'server.address': 'api.openai.com',
        'server.port': 443,
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.request.stream': true,
      },
    ])
  })

  test('lasts as long as the exchange', () => {
    const { begin, finish } = observed()
    begin()
    finish()
    const inMs = ([seconds, nanoseconds]: [number, number]) => seconds * 1000 + nanoseconds / 1e6
    assert.equal(inMs(sdk.spans[0]!.startTime), 1_700_000_000_000)
    assert.equal(inMs(sdk.spans[0]!.endTime), 1_700_000_001_500)
    assert.equal(sdk.spans[0]?.ended, true)
  })

  test('belongs to its own exchange if several are in progress, and ends once', async () => {
    const { begin, finish } = observed()
    begin({ id: '1' })
    begin({ id: '2', model: 'other' })
    finish({ id: '2', model: 'other' })
    finish({ id: '1' })
    finish({ id: '1' })
    assert.deepEqual(
      sdk.spans.map(({ name }) => name),
      ['chat other', 'chat gpt-4o'],
    )
    const counts = (await sdk.sumsOf('gen_ai.client.operation.duration')).map(({ count }) => count)
    assert.deepEqual(counts, [1, 1])
  })
})

describe('the attempts of a call', () => {
  const first = { target: 'openai', host: 'api.openai.com:443', number: 1 }
  const second = { target: 'azure', host: 'ours.openai.azure.com:443', number: 2, model: 'gpt-4o-eu' }
  const failed = attemptOf({ target: 'openai', status: 429, startedAt: 1_700_000_000_100, ms: 50 })
  const served = attemptOf({ target: 'azure', startedAt: 1_700_000_000_150, ms: 1350, firstTokenMs: 250 })

  test('are spans below its own, in the order of their starts', () => {
    const { begin, attempt, finish } = observed()
    begin()
    attempt(first)
    attempt({ ...second, hedged: true, startedAt: 1_700_000_000_150 })
    finish({ target: 'azure', attempts: [failed, served] })
    const [one, two, call] = sdk.spans
    assert.deepEqual(
      sdk.spans.map(({ name }) => name),
      ['attempt openai', 'attempt azure', 'chat gpt-4o'],
    )
    for (const span of [one, two]) {
      assert.equal(span?.parentSpanContext?.spanId, call?.spanContext().spanId)
      assert.equal(span?.spanContext().traceId, call?.spanContext().traceId)
      assert.equal(span?.kind, SpanKind.CLIENT)
    }
    assert.deepEqual(one?.attributes, {
      'server.address': 'api.openai.com',
      'server.port': 443,
      'gen_ai.request.model': 'gpt-4o',
      'ai_proxy.target': 'openai',
      'ai_proxy.attempt.number': 1,
      'http.response.status_code': 429,
      'ai_proxy.attempt.reason': '429',
      'error.type': '429',
    })
    assert.deepEqual(one.status, { code: SpanStatusCode.ERROR })
    assert.deepEqual(two?.attributes, {
      'server.address': 'ours.openai.azure.com',
      'server.port': 443,
      'gen_ai.request.model': 'gpt-4o-eu',
      'ai_proxy.target': 'azure',
      'ai_proxy.attempt.number': 2,
      'ai_proxy.attempt.hedged': true,
      'http.response.status_code': 200,
      'ai_proxy.attempt.reason': 'ok',
      'ai_proxy.time_to_first_token': 0.25,
    })
    assert.deepEqual(two.status, { code: SpanStatusCode.UNSET })
    const inMs = ([seconds, nanoseconds]: [number, number]) => seconds * 1000 + nanoseconds / 1e6
    const times = [one, two].map((span) => [inMs(span.startTime), inMs(span.endTime)])
    assert.deepEqual(times, [
      [1_700_000_000_100, 1_700_000_000_150],
      [1_700_000_000_150, 1_700_000_001_500],
    ])
  })

  test('send their own traceparent', () => {
    const { begin, attempt, finish } = observed()
    begin()
    const headers = [attempt(first), attempt(second)]
    finish({ target: 'azure', attempts: [failed, served] })
    const spans = sdk.spans.map((span) => span.spanContext())
    assert.deepEqual(
      headers,
      spans.slice(0, 2).map(({ traceId, spanId }) => ({ traceparent: `00-${traceId}-${spanId}-01` })),
    )
    assert.notEqual(spans[0]?.spanId, spans[1]?.spanId)
  })

  test('leave the call, in its span and in metrics, the address of the target that served it', async () => {
    const { begin, attempt, finish } = observed()
    begin()
    attempt(first)
    attempt(second)
    finish({ target: 'azure', attempts: [failed, served] })
    const call = sdk.spans.at(-1)?.attributes
    assert.deepEqual(
      [
        call?.['server.address'],
        call?.['gen_ai.provider.name'],
        call?.['ai_proxy.target'],
        call?.['ai_proxy.attempts'],
      ],
      ['ours.openai.azure.com', 'azure.ai.openai', 'azure', 2],
    )
    const [duration] = await sdk.sumsOf('gen_ai.client.operation.duration')
    assert.equal(duration?.attributes['server.address'], 'ours.openai.azure.com')
  })

  test('are no errors if they were given up', () => {
    const { begin, attempt, finish } = observed()
    begin()
    attempt(first)
    attempt(second)
    const outrun = attemptOf({ target: 'openai', status: undefined, code: 'outrun' })
    finish({ target: 'azure', attempts: [outrun, attemptOf({ target: 'azure', code: 'abandoned' })] })
    const told = sdk.spans.map(({ status, attributes }) => [status.code, attributes['ai_proxy.attempt.reason']])
    assert.deepEqual(told.slice(0, 2), [
      [SpanStatusCode.UNSET, 'outrun'],
      [SpanStatusCode.UNSET, 'abandoned'],
    ])
  })

  test('have a code as error.type if there was no answer', () => {
    const { begin, attempt, finish } = observed()
    begin()
    attempt(first)
    const code = 'upstream_unreachable'
    finish({ outcome: 'upstream_error', code, target: 'openai', attempts: [attemptOf({ status: undefined, code })] })
    assert.equal(sdk.spans[0]?.attributes['error.type'], code)
    assert.equal('http.response.status_code' in sdk.spans[0].attributes, false)
  })

  test('have no spans if the request calls no model', () => {
    const { begin, attempt } = observed()
    begin({ req: { method: 'GET', url: '/v1/models', headers: {} } as unknown as Request, model: undefined })
    assert.equal(attempt(first), undefined)
  })
})

describe('errors', () => {
  test("an exchange's failure has its code as error.type, and a description", async () => {
    const { begin, finish } = observed()
    begin()
    finish({
      outcome: 'upstream_error',
      code: 'upstream_reset',
      error: 'The provider broke off its answer (ECONNRESET)',
    })
    assert.deepEqual(sdk.spans[0]?.status, {
      code: SpanStatusCode.ERROR,
      message: 'The provider broke off its answer (ECONNRESET)',
    })
    assert.equal(sdk.spans[0]?.attributes['error.type'], 'upstream_reset')
    assert.equal(sdk.spans[0]?.attributes['ai_proxy.outcome'], 'upstream_error')
    const [duration] = await sdk.sumsOf('gen_ai.client.operation.duration')
    assert.equal(duration?.attributes['error.type'], 'upstream_reset')
  })

  test("a provider's error has its status as error.type", async () => {
    const { begin, finish } = observed()
    begin()
    finish({ status: 429 })
    assert.deepEqual(sdk.spans[0]?.status, { code: SpanStatusCode.ERROR })
    assert.equal(sdk.spans[0]?.attributes['error.type'], '429')
    const [duration] = await sdk.sumsOf('gen_ai.client.operation.duration')
    assert.equal(duration?.attributes['error.type'], '429')
  })

  test('a client that leaves is not an error', async () => {
    const { begin, finish } = observed()
    begin()
    finish({ outcome: 'client_disconnect' })
    assert.deepEqual(sdk.spans[0]?.status, { code: SpanStatusCode.UNSET })
    assert.equal(sdk.spans[0]?.attributes['ai_proxy.outcome'], 'client_disconnect')
    assert.equal('error.type' in sdk.spans[0].attributes, false)
    const [duration] = await sdk.sumsOf('gen_ai.client.operation.duration')
    assert.equal('error.type' in duration!.attributes, false)
  })
})

describe('requests that do not call a model', () => {
  test('an exchange that failed before it was sent has no span, but counts', async () => {
    const { finish } = observed()
    const rejected = { outcome: 'rejected', code: 'model_not_allowed', status: 403, durationMs: 2 } as const
    finish({ ...rejected, responseModel: undefined, usage: undefined, firstTokenMs: undefined })
    assert.deepEqual(sdk.spans, [])
    assert.deepEqual(await sdk.sumsOf('gen_ai.client.operation.duration'), [
      {
        attributes: {
          'gen_ai.operation.name': 'chat',
          'gen_ai.provider.name': 'openai',
          'gen_ai.request.model': '_OTHER',
          'error.type': 'model_not_allowed',
        },
        sum: 0.002,
        count: 1,
      },
    ])
  })

  test('an exchange that the app or the proxy answered does not count', async () => {
    const { finish } = observed()
    finish()
    assert.equal(await sdk.pointsOf('gen_ai.client.operation.duration'), undefined)
  })

  test('a list of models has no span, no headers, and does not count', async () => {
    const { begin, finish } = observed()
    const req = { method: 'GET', url: '/v1/models', headers: {} } as unknown as Request
    assert.equal(begin({ req, model: undefined }), undefined)
    finish({ method: 'GET', path: '/v1/models', status: 500, code: 'upstream_reset', model: undefined })
    assert.deepEqual(sdk.spans, [])
    assert.equal(await sdk.pointsOf('gen_ai.client.operation.duration'), undefined)
  })
})

describe('the trace', () => {
  const traceparent = `00-${REMOTE.traceId}-${REMOTE.spanId}-01`

  test('is new if there is none, and is sent to the provider', () => {
    const { begin, finish } = observed()
    const headers = begin()
    finish()
    const { traceId, spanId } = sdk.spans[0]!.spanContext()
    assert.deepEqual(headers, { traceparent: `00-${traceId}-${spanId}-01` })
    assert.equal(sdk.spans[0]?.parentSpanContext, undefined)
  })

  test("is the client's if no span is active", () => {
    const { begin, finish } = observed()
    const headers = begin({}, { traceparent })
    finish()
    const { spanId } = sdk.spans[0]!.spanContext()
    assert.equal(sdk.spans[0]?.parentSpanContext?.spanId, REMOTE.spanId)
    assert.deepEqual(headers, { traceparent: `00-${REMOTE.traceId}-${spanId}-01` })
  })

  test('is that of the active span, whatever the client sends', () => {
    const { begin, finish } = observed()
    const server = sdk.tracerProvider.getTracer('app').startSpan('POST /ai')
    const headers = context.with(trace.setSpan(context.active(), server), () => begin({}, { traceparent }))
    finish()
    const { spanId } = sdk.spans[0]!.spanContext()
    assert.equal(sdk.spans[0]?.parentSpanContext?.spanId, server.spanContext().spanId)
    assert.deepEqual(headers, { traceparent: `00-${server.spanContext().traceId}-${spanId}-01` })
  })

  test('is forwarded even if it is not sampled', () => {
    const unsampled = telemetry(new AlwaysOffSampler())
    const headers = observed({ tracerProvider: unsampled.tracerProvider }).begin({}, { traceparent })
    assert.match(headers?.traceparent ?? '', new RegExp(`^00-${REMOTE.traceId}-\\w{16}-00$`))
  })

  test('does not forward baggage to the provider', () => {
    const { begin } = observed()
    const baggage = propagation.createBaggage({ user: { value: 'somebody' } })
    const headers = context.with(propagation.setBaggage(context.active(), baggage), () => begin())
    assert.deepEqual(Object.keys(headers ?? {}), ['traceparent'])
  })
})

describe('metrics', () => {
  test('have the figures and the buckets of the conventions', async () => {
    const { begin, finish } = observed()
    begin()
    finish()
    assert.deepEqual(await sdk.sumsOf('gen_ai.client.operation.duration'), [{ attributes: called, sum: 1.5, count: 1 }])
    assert.deepEqual(await sdk.sumsOf('gen_ai.client.token.usage'), [
      { attributes: { ...called, 'gen_ai.token.type': 'input' }, sum: 20, count: 1 },
      { attributes: { ...called, 'gen_ai.token.type': 'output' }, sum: 11, count: 1 },
    ])
    assert.deepEqual(await sdk.sumsOf('gen_ai.server.time_to_first_token'), [
      { attributes: called, sum: 0.4, count: 1 },
    ])
    // 1,100 ms for the ten tokens behind the first.
    assert.deepEqual(await sdk.sumsOf('gen_ai.server.time_per_output_token'), [
      { attributes: called, sum: 0.11, count: 1 },
    ])

    const described = await Promise.all(
      [
        'client.operation.duration',
        'client.token.usage',
        'server.time_to_first_token',
        'server.time_per_output_token',
      ].map(async (name) => {
        const { descriptor, dataPoints } = (await sdk.pointsOf(`gen_ai.${name}`))!
        return [descriptor.unit, dataPoints[0]?.value.buckets.boundaries]
      }),
    )
    assert.deepEqual(described, [
      ['s', [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]],
      ['{token}', Array.from({ length: 14 }, (_, i) => 4 ** i)],
      ['s', [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]],
      ['s', [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]],
    ])
  })

  test('have times per token of completed answers only', async () => {
    const { finish, begin } = observed()
    for (const record of [
      { status: 500 },
      { firstTokenMs: undefined },
      { usage: { outputTokens: 11, estimated: true } },
      { usage: { outputTokens: 1, estimated: false } },
      { usage: undefined },
    ]) {
      begin()
      finish(record)
    }
    assert.equal(await sdk.pointsOf('gen_ai.server.time_per_output_token'), undefined)
    const [firstToken] = await sdk.sumsOf('gen_ai.server.time_to_first_token')
    assert.equal(firstToken?.count, 3)
  })

  test('include estimated tokens only if the user asks for them', async () => {
    const usage = { inputTokens: 20, outputTokens: 3, estimated: true }
    const { begin, finish } = observed()
    begin()
    finish({ usage })
    assert.equal(await sdk.pointsOf('gen_ai.client.token.usage'), undefined)
    const estimating = observed({ countEstimates: true })
    estimating.begin()
    estimating.finish({ usage })
    const sums = (await sdk.sumsOf('gen_ai.client.token.usage')).map(({ sum }) => sum)
    assert.deepEqual(sums, [20, 3])
  })

  test('exclude tokens that no JSON number can represent', async () => {
    const { begin, finish } = observed()
    begin()
    finish({ usage: { inputTokens: Number.POSITIVE_INFINITY, outputTokens: -1, estimated: false } })
    assert.equal(await sdk.pointsOf('gen_ai.client.token.usage'), undefined)
  })

  test('have one name for all models that clients make up', async () => {
    const { begin, finish } = observed({ maxModels: 1 })
    const durations = async () => {
      const sums = await sdk.sumsOf('gen_ai.client.operation.duration')
      return sums.map(({ attributes, count }) => [
        attributes['gen_ai.request.model'],
        attributes['gen_ai.response.model'],
        count,
      ])
    }
    for (const record of [
      unknownModelRecord('a'),
      unknownModelRecord('b'),
      recordOf(),
      recordOf({ model: 'c', responseModel: 'c' }),
    ]) {
      begin({ model: record.model })
      finish(record)
    }
    assert.deepEqual(await durations(), [
      ['_OTHER', undefined, 2],
      ['gpt-4o', 'gpt-4o-2024-08-06', 1],
      ['_OTHER', undefined, 1],
    ])
    assert.deepEqual(
      sdk.spans.map(({ name }) => name),
      ['chat a', 'chat b', 'chat gpt-4o', 'chat c'],
    )
  })
})

describe('the observer', () => {
  test('uses the global providers, even if they are set later', async () => {
    const observer = openTelemetryObserver()
    trace.setGlobalTracerProvider(sdk.tracerProvider)
    metrics.setGlobalMeterProvider(sdk.meterProvider)
    const req = { method: 'POST', url: '/v1/messages', headers: {} } as unknown as Request
    observer.onRequest?.({
      id: '1',
      req,
      format: 'anthropic',
      model: 'claude',
      stream: true,
      subject: undefined,
      tenant: undefined,
      startedAt: 1,
      host: 'localhost:80',
    })
    observer.onFinish?.(recordOf({ id: '1', format: 'anthropic', model: 'claude' }))
    assert.equal(sdk.spans[0]?.name, 'chat claude')
    const [duration] = await sdk.sumsOf('gen_ai.client.operation.duration')
    assert.equal(duration?.count, 1)
  })

  test("without an SDK forwards the client's trace", () => {
    trace.disable()
    const traceparent = `00-${REMOTE.traceId}-${REMOTE.spanId}-01`
    const observer = openTelemetryObserver()
    const from = { subject: undefined, tenant: undefined, host: 'localhost:80' }
    const exchange = { ...from, id: '1', format: 'anthropic', model: 'claude', stream: true, startedAt: 1 }
    const req = (headers: object) => ({ method: 'POST', url: '/v1/messages', headers }) as unknown as Request
    assert.deepEqual(observer.onRequest?.({ ...exchange, req: req({ traceparent }) }), { traceparent })
    assert.deepEqual(observer.onRequest?.({ ...exchange, req: req({}) }), {})
  })

  for (const [option, options, message] of [
    ['tracerProvider', { tracerProvider: 1 }, 'openTelemetryObserver: tracerProvider takes a TracerProvider; got 1'],
    ['meterProvider', { meterProvider: {} }, 'openTelemetryObserver: meterProvider takes a MeterProvider; got {}'],
    ['countEstimates', { countEstimates: 'no' }, "openTelemetryObserver: countEstimates takes true or false; got 'no'"],
    ['models', { models: [1] }, 'openTelemetryObserver: models takes a list of model names; got [ 1 ]'],
    [
      'maxModels',
      { maxModels: '5' },
      "openTelemetryObserver: maxModels takes a number of at least 0, or false for no maximum; got '5'",
    ],
    ['labels', { labels: ['user.id'] }, 'openTelemetryObserver: labels[0] takes a name of letters, digits and _'],
    [
      'maxLabelValues',
      { maxLabelValues: '5' },
      "openTelemetryObserver: maxLabelValues takes a number of at least 0, or false for no maximum; got '5'",
    ],
    ['another', { tracer: 1 }, 'openTelemetryObserver: there is no option tracer. openTelemetryObserver takes '],
  ] as const) {
    test(`rejects an invalid option: ${option}`, () => {
      assert.throws(
        () => openTelemetryObserver(options as unknown as OpenTelemetryObserverOptions),
        (error) => error instanceof TypeError && error.message.startsWith(message),
      )
    })
  }
})
