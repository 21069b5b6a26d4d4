import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Registry } from 'prom-client'
import type { AiProxyOptions, ExchangeRecord } from '../../lib/index.js'
import { openTelemetryObserver } from '../../lib/opentelemetry.js'
import { prometheusObserver } from '../../lib/prometheus.js'
import { samplesOf } from '../metrics/support/scrape.js'
import { telemetry } from '../metrics/support/telemetry.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Owner, startProvider } from './support/provider.js'

const { path, request, events, terminator } = openai

/** An app whose exchanges are labelled by a header of the client's, and asked by each of these tenants. */
async function asked(t: Owner, tenants: readonly string[], options: Partial<AiProxyOptions>) {
  const provider = await startProvider(t, { onCall: (call) => call.sse(events).end(terminator) })
  const app = await startApp(t, {
    target: provider.url,
    labels: ({ req, model }) => ({
      tenant: req.get('x-tenant'),
      model_size: model === 'gpt-test' ? 'small' : undefined,
    }),
    ...options,
  })
  const records: ExchangeRecord[] = []
  for (const tenant of tenants) {
    await (await post(app.url + path, request, { headers: { 'x-tenant': tenant } })).text()
    records.push(await app.record())
  }
  return { app, records }
}

describe('labels', () => {
  test('reach onFinish and every observer, once for each exchange', async (t) => {
    const seen: unknown[] = []
    let calls = 0
    const { records } = await asked(t, ['acme', 'umbrella'], {
      labels: ({ id, req }) => ({ id, tenant: req.get('x-tenant'), call: String(++calls) }),
      observers: [
        { onFinish: ({ labels }) => void seen.push(labels) },
        { onFinish: ({ labels }) => void seen.push(labels) },
      ],
    })
    const expected = records.map(({ id }, at) => ({ id, tenant: ['acme', 'umbrella'][at], call: String(at + 1) }))
    assert.deepEqual(
      records.map(({ labels }) => labels),
      expected,
    )
    assert.deepEqual(seen, [expected[0], expected[0], expected[1], expected[1]])
  })

  test('are asked for if the request is refused, too', async (t) => {
    const { records } = await asked(t, ['acme'], { models: ['other'] })
    assert.deepEqual(
      [records[0]?.code, records[0]?.labels],
      ['model_not_allowed', { tenant: 'acme', model_size: 'small' }],
    )
  })

  test('that cannot be had leave the exchange as it is, and are reported', async (t) => {
    const errors: unknown[] = []
    const { records } = await asked(t, ['acme'], {
      labels: () => {
        throw new Error('no tenant')
      },
      onError: (error, { hook, exchange }) => void errors.push([hook, (error as Error).message, exchange?.id]),
    })
    assert.deepEqual([records[0]?.outcome, records[0]?.labels], ['completed', {}])
    assert.deepEqual(errors, [['labels', 'no tenant', records[0]?.id]])
  })

  test('are there in Prometheus, if the observer names them, with a bounded number of values', async (t) => {
    const register = new Registry()
    const metrics = prometheusObserver({ register, labels: ['tenant', 'plan'], maxLabelValues: 1 })
    t.after(() => metrics.close())
    const { records } = await asked(t, ['acme', 'umbrella', 'acme'], { observers: [metrics] })
    const common = `format="openai-chat",model="gpt-test",target="${records[0]?.target}"`
    const ending = 'plan="none",outcome="completed",status="200"'
    assert.deepEqual(await samplesOf(register, 'ai_proxy_exchanges_total'), [
      `ai_proxy_exchanges_total{${common},tenant="acme",${ending}} 2`,
      `ai_proxy_exchanges_total{${common},tenant="other",${ending}} 1`,
    ])
  })

  test('are attributes in OpenTelemetry, bounded in metrics and as they are in spans', async (t) => {
    const sdk = telemetry()
    t.after(() => sdk.close())
    const { tracerProvider, meterProvider } = sdk
    const traces = openTelemetryObserver({
      tracerProvider,
      meterProvider,
      labels: ['tenant', 'plan'],
      maxLabelValues: 1,
    })
    await asked(t, ['acme', 'umbrella'], { observers: [traces] })
    assert.deepEqual(
      sdk.spans.map(({ attributes }) => [attributes.tenant, 'plan' in attributes, 'model_size' in attributes]),
      [
        ['acme', false, false],
        ['umbrella', false, false],
      ],
    )
    const durations = await sdk.sumsOf('gen_ai.client.operation.duration')
    assert.deepEqual(
      durations.map(({ attributes, count }) => [attributes.tenant, 'plan' in attributes, count]),
      [
        ['acme', false, 1],
        ['_OTHER', false, 1],
      ],
    )
  })
})
