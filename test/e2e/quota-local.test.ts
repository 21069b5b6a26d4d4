import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type QuotaOptions, type QuotaStore, quota } from '../../lib/quota.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, startProvider } from './support/provider.js'
import { chatChunk } from './support/streams.js'

const { path, request } = openai
const key = 'user:ada'
const refused = () => Promise.reject(new Error('connection refused'))
/** A store that is away all the time. */
const away: QuotaStore = { reserve: refused, settle: refused, renew: refused, read: refused, reset: refused }
const answer = { choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }] }

async function started(
  t: TestContext,
  options: QuotaOptions,
  onCall: (call: Call) => unknown = (call) => call.json(200, answer),
) {
  t.mock.method(process, 'emitWarning', () => {})
  const policy = quota({ store: away, countInput: () => 0, ...options })
  const provider = await startProvider(t, { onCall: (call) => void onCall(call) })
  const app = await startApp(t, { target: provider.url, identify: () => 'ada', policies: [policy] })
  const ask = async (body: object = { ...request, stream: false }) => {
    const response = await post(app.url + path, body)
    const { headers, status } = response
    return { status, headers, text: await response.text(), record: await app.record() }
  }
  return { policy, ask }
}

describe('a process that counts its share', () => {
  test('names the limit whose share is used up, and says when there is room', async (t) => {
    const limits = [
      { key, concurrent: 3 },
      { key, requests: 100, per: 'month' },
      { key, tokens: 1000, per: 'month' },
    ] as const
    const { ask } = await started(t, { limits, instances: 5, assumedOutput: 250 })
    const { status, text, headers } = await ask()
    assert.equal(status, 429)
    assert.match(
      text,
      /The quota of tokens per month for user:ada is exceeded: 0 of 200 used, and this request may need 250/,
    )
    assert.deepEqual(
      ['requests', 'tokens'].map((kind) => headers.get(`x-ratelimit-limit-${kind}`)),
      ['20', '200'],
    )
  })

  test('tells clients to come back when its share has room again', async (t) => {
    const { ask } = await started(t, { limits: [{ key, requests: 4, per: 'month' }], instances: 4 })
    const [first, second] = [await ask(), await ask()]
    assert.deepEqual([first.status, second.status], [200, 429])
    assert.equal(first.headers.get('x-ratelimit-remaining-requests'), '0')
    assert.match(second.text, /1 of 1 used; there is room in/)
    const seconds = Number(second.headers.get('ratelimit')?.split('t=')[1])
    assert.ok(Math.abs(Number(second.headers.get('retry-after')) - seconds) <= 1, `${seconds} seconds`)
  })

  test('does not remember a refusal: the store may be back', async (t) => {
    const exceeded: number[] = []
    let isAway = true
    const store: QuotaStore = {
      ...away,
      reserve: ({ claims }) => {
        if (isAway) throw new Error('connection refused')
        const states = claims.map(() => ({ current: 0, previous: 0, held: 0, window: 0 }))
        return { granted: true, now: 0, states }
      },
    }
    let now = 0
    t.mock.method(performance, 'now', () => now)
    const { ask } = await started(t, {
      limits: [{ key, requests: 4, per: 'month' }],
      ...{ store, instances: 4, onExceeded: ({ allowed }) => void exceeded.push(allowed) },
    })
    assert.deepEqual([(await ask()).status, (await ask()).status], [200, 429])
    isAway = false
    now += 1000
    assert.equal((await ask()).status, 200)
    assert.deepEqual(exceeded, [1])
  })

  test('cuts a stream only if nothing of its share is left', async (t) => {
    const words = Array.from({ length: 300 }, () =>
      chatChunk([{ index: 0, delta: { content: ' word' }, finish_reason: null }]),
    )
    const { ask } = await started(
      t,
      { limits: [{ key, tokens: 1000, per: 'month' }], instances: 10, assumedOutput: 40, onExhausted: 'cut' },
      (call) => call.sse([]).end(Buffer.concat(words)),
    )
    const { record } = await ask(request)
    assert.equal(record.code, 'quota_exceeded')
    const output = record.usage?.outputTokens ?? 0
    assert.ok(output >= 100 && output <= 102, `${output} of 100 tokens`)
  })
})
