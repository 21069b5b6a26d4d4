import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { Registry } from 'prom-client'
import type { ExchangeRecord } from '../../lib/index.js'
import { prometheusObserver } from '../../lib/prometheus.js'
import { quota } from '../../lib/quota.js'
import { samplesOf } from '../metrics/support/scrape.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, startProvider } from './support/provider.js'
import { streams } from './support/streams.js'

const { path, request } = openai
const key = 'user:ada'
const prices = {
  'gpt-test': { input: 3e5, cachedInput: 1e5, output: 7e5 },
  'model-of-the-test': { input: 5, output: 9 },
}
const answer = {
  model: 'gpt-test',
  choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 40, completion_tokens: 10, total_tokens: 50, prompt_tokens_details: { cached_tokens: 30 } },
}

async function started(t: TestContext, onCall: (call: Call) => unknown) {
  const register = new Registry()
  const observer = prometheusObserver({ register })
  t.after(() => observer.close())
  const policy = quota({
    limits: [{ key, cost: 1e5, tokens: 1e9, per: 'month' }],
    countInput: () => 40,
    assumedOutput: 10,
  })
  const provider = await startProvider(t, { onCall: (call) => void onCall(call) })
  const app = await startApp(t, {
    ...{ target: provider.url, identify: () => 'ada', policies: [policy], observers: [observer], prices },
  })
  const inQuota = async (kind: string) => (await policy.status(key)).find((limit) => limit.kind === kind)?.used ?? 0
  const inPrometheus = async (metric: string) => {
    const samples = await samplesOf(register, metric)
    return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }
  const inRecords = (of: (record: ExchangeRecord) => number | undefined) =>
    app.records.reduce((sum, record) => sum + (of(record) ?? 0), 0)
  return { app, inQuota, inPrometheus, inRecords }
}

// A quota rounds each amount up to a billionth.
const isAbout = (sum: number, expected: number) => assert.ok(Math.abs(sum - expected) < 1e-8, `${sum}, not ${expected}`)

describe('records, quota and Prometheus have one sum', () => {
  test('of what providers report', async (t) => {
    let calls = 0
    const { frames, contentType } = streams.chat
    const { app, inQuota, inPrometheus, inRecords } = await started(t, (call) => {
      if (calls++ % 2 === 0) return call.json(200, answer)
      return call.res.writeHead(200, { 'content-type': contentType }).end(Buffer.concat(frames))
    })
    for (let at = 0; at < 6; at++) {
      await (await post(app.url + path, { ...request, stream: at % 2 === 1 })).text()
      await app.record()
    }
    const cost = inRecords((record) => record.cost)
    isAbout(cost, 3 * (10 * 0.3 + 30 * 0.1 + 10 * 0.7) + (3 * (11 * 5 + 22 * 9)) / 1e6)
    isAbout(await inQuota('cost'), cost)
    isAbout(await inPrometheus('ai_proxy_cost_total'), cost)
    const tokens = inRecords((record) => record.tokens?.total)
    assert.equal(tokens, 3 * 50 + 3 * 33)
    assert.equal(await inQuota('tokens'), tokens)
  })

  test('of a stream that ended early, except that the quota has its input as well', async (t) => {
    const { app, inQuota, inPrometheus, inRecords } = await started(t, (call) => {
      call.sse(['data: {"choices":[{"index":0,"delta":{"content":" word"}}]}\n\n'])
    })
    const client = (await connect(t, app.port)).post(`/ai${path}`, request)
    await client.sees('word')
    client.leave()
    const { tokens, costEstimated } = await app.record()
    assert.deepEqual([tokens?.total, costEstimated], [1, true])
    const cost = inRecords((record) => record.cost)
    isAbout(cost, 0.7)
    isAbout(await inPrometheus('ai_proxy_cost_total'), cost)
    isAbout(await inQuota('cost'), cost + 40 * 0.3)
    assert.equal(await inQuota('tokens'), 41)
  })
})
