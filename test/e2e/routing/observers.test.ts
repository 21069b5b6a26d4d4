import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Registry } from 'prom-client'
import type { AiProxyOptions, Observer } from '../../../lib/index.js'
import { prometheusObserver } from '../../../lib/prometheus.js'
import { samplesOf } from '../../metrics/support/scrape.js'
import { startApp } from '../support/app.js'
import { post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { type Call, type Owner, startProvider } from '../support/provider.js'

/** An app whose first target answers 429, and whose second one calls the model by another name. */
async function startPair(t: Owner, observers: readonly Observer[], options: Partial<AiProxyOptions> = {}) {
  const a = await startProvider(t, { onCall: (call) => call.json(429, { error: { message: 'no' } }) })
  const b = await startProvider(t, { onCall: (call: Call) => call.sse([...openai.events, openai.terminator]).end() })
  const model = String(openai.request.model)
  const app = await startApp(t, {
    targets: [
      { name: 'a', target: a.url },
      { name: 'b', target: b.url, priority: 1, models: { [model]: 'deployed' } },
    ],
    observers,
    ...options,
  })
  await (await post(app.url + openai.path, openai.request)).text()
  return { a, b, app, model, record: await app.record() }
}

describe('an observer', () => {
  test('sees each attempt before it goes out, as it is in the record', async (t) => {
    const seen: object[] = []
    const ids: string[] = []
    const observer: Observer = {
      onRequest: ({ id }) => void ids.push(id),
      onAttempt(attempt, { id, host }) {
        ids.push(id)
        seen.push({ ...attempt, first: host })
        return undefined
      },
    }
    const { a, b, model, record } = await startPair(t, [observer])
    const [first, second] = [a, b].map(({ url }) => new URL(url).host)
    const shared = { hedged: false, first }
    assert.deepEqual(seen, [
      { target: 'a', host: first, model, number: 1, startedAt: record.attempts[0]?.startedAt, ...shared },
      { target: 'b', host: second, model: 'deployed', number: 2, startedAt: record.attempts[1]?.startedAt, ...shared },
    ])
    assert.deepEqual(ids, [record.id, record.id, record.id])
  })

  test('gives each attempt headers, which replace those of the request', async (t) => {
    const observer: Observer = {
      onRequest: () => ({ traceparent: 'request', tracestate: 'request' }),
      onAttempt: ({ number }) => ({ traceparent: `attempt ${number}` }),
    }
    const { a, b } = await startPair(t, [observer])
    const sent = [a, b].map(({ calls }) => [calls[0]?.headers.traceparent, calls[0]?.headers.tracestate])
    assert.deepEqual(sent, [
      ['attempt 1', undefined],
      ['attempt 2', undefined],
    ])
  })

  test('that throws changes nothing, and is reported', async (t) => {
    const observer: Observer = {
      onAttempt() {
        throw new Error('broken observer')
      },
    }
    const thrown: unknown[] = []
    const { record } = await startPair(t, [observer], { onError: (error) => void thrown.push(error) })
    assert.deepEqual([record.outcome, record.target], ['completed', 'b'])
    assert.deepEqual(thrown.map(String), ['Error: broken observer', 'Error: broken observer'])
  })

  test('sees no attempts of the only target of a route, which is asked once', async (t) => {
    const attempts: object[] = []
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const observer: Observer = { onAttempt: (_, attempt) => void attempts.push(attempt) }
    const app = await startApp(t, { target: provider.url, observers: [observer] })
    await (await post(app.url + openai.path, openai.request)).text()
    assert.equal((await app.record()).attempts.length, 1)
    assert.deepEqual(attempts, [])
  })
})

test('Prometheus gets attempts by target and reason, and the state of the targets', async (t) => {
  const register = new Registry()
  const observer = prometheusObserver({ register })
  t.after(() => observer.close())
  await startPair(t, [observer])
  assert.deepEqual(await samplesOf(register, 'ai_proxy_attempts_total'), [
    'ai_proxy_attempts_total{target="a",reason="429"} 1',
    'ai_proxy_attempts_total{target="b",reason="ok"} 1',
  ])
  assert.match((await samplesOf(register, 'ai_proxy_exchanges_total')).join(), /,target="b",outcome="completed"/)
  assert.deepEqual(await samplesOf(register, 'ai_proxy_target_cooling'), [
    'ai_proxy_target_cooling{target="a"} 1',
    'ai_proxy_target_cooling{target="b"} 0',
  ])
  assert.deepEqual(await samplesOf(register, 'ai_proxy_target_in_flight'), [
    'ai_proxy_target_in_flight{target="a"} 0',
    'ai_proxy_target_in_flight{target="b"} 0',
  ])
})
