import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from '../support/app.js'
import { post } from '../support/client.js'
import { anthropic, openai } from '../support/protocols.js'
import { type Call, startProvider } from '../support/provider.js'
import { ANSWER, answer, attemptsOf, ROLE, refuse, startPair } from '../support/targets.js'
import { until, within } from '../support/waiting.js'

const [hel] = openai.events
const ERROR = `data: ${JSON.stringify({ error: { message: 'Overloaded', type: 'server_error', code: 'server_error' } })}\n\n`

const failures: Readonly<
  Record<string, { act: (call: Call) => unknown; tries: number; code?: string; status?: number }>
> = {
  'resets the connection': { act: (call) => call.reset(), tries: 2, code: 'upstream_reset' },
  'answers 500': { act: (call) => call.json(500, { error: { message: 'no' } }), tries: 2, status: 500 },
  'answers 529': { act: (call) => call.json(529, { error: { message: 'no' } }), tries: 2, status: 529 },
  'answers 429': { act: (call) => call.json(429, { error: { message: 'no' } }), tries: 1, status: 429 },
  'answers 401': { act: (call) => call.json(401, { error: { message: 'no' } }), tries: 1, status: 401 },
  'sends an error event first': {
    act: (call) => call.sse([ERROR]).end(),
    tries: 2,
    code: 'upstream_error',
    status: 200,
  },
  'sends an error event after a role': {
    act: (call) => call.sse([ROLE, ERROR]).end(),
    tries: 2,
    code: 'upstream_error',
    status: 200,
  },
  'ends its stream without content': {
    act: (call) => call.sse([ROLE]).end(),
    tries: 2,
    code: 'upstream_truncated',
    status: 200,
  },
  ...Object.fromEntries(
    ['abort', 'engine_overloaded', 'insufficient_system_resource', 'interrupted', 'rate_limit_exceeded'].map(
      (finish_reason) => [
        `sends long JSON with the finish reason ${finish_reason}`,
        {
          act: (call: Call) => call.json(200, { choices: [{ message: { content: 'a'.repeat(5000) }, finish_reason }] }),
          tries: 2,
          code: 'upstream_error',
          status: 200,
        },
      ],
    ),
  ),
  'sends a text labelled as JSON, of unknown length': {
    act: ({ res }) => res.writeHead(200, { 'content-type': 'application/json' }).end('"502 Bad Gateway"'),
    tries: 2,
    code: 'upstream_error',
    status: 200,
  },
  'sends a text that says so, of unknown length': {
    act: ({ res }) => {
      res.writeHead(200, { 'content-type': 'text/plain' })
      res.write('upstream connect error or disconnect/reset before headers')
      res.end()
    },
    tries: 2,
    code: 'upstream_error',
    status: 200,
  },
  'sends an event that is a page': {
    act: (call) => call.sse(['data: <html><h1>Bad gateway</h1></html>\n\n']).end(),
    tries: 2,
    code: 'upstream_error',
    status: 200,
  },
  'sends an err': {
    act: (call) => call.json(200, { err: 'no GPU' }),
    tries: 2,
    code: 'upstream_error',
    status: 200,
  },
  'sends a stream that cannot be decoded': {
    act: (call) => call.sse(['this is not gzip'], { 'content-encoding': 'gzip' }),
    tries: 2,
    code: 'upstream_reset',
    status: 200,
  },
  'breaks off without content': {
    act: (call) => call.sse([ROLE]).res.write(': ping\n\n', () => call.reset()),
    tries: 2,
    code: 'upstream_reset',
    status: 200,
  },
}

describe('the next target answers if the first one', () => {
  for (const [what, { act, tries, code, status }] of Object.entries(failures)) {
    test(what, async (t) => {
      const { a, b, app } = await startPair(t, act)
      const response = await within(post(app.url + openai.path, openai.request), 'the answer')
      assert.equal(response.status, 200)
      assert.equal(await response.text(), ANSWER)
      const record = await app.record()
      assert.deepEqual([record.outcome, record.target, record.code], ['completed', 'b', undefined])
      const seen = record.attempts.map((attempt) => [attempt.target, attempt.status, attempt.code])
      const failed = Array.from({ length: tries }, () => ['a', status, code])
      assert.deepEqual(seen, [...failed, ['b', 200, undefined]])
      assert.deepEqual([a.calls.length, b.calls.length], [tries, 1])
      assert.equal(b.calls[0]?.headers.authorization, 'Bearer key-of-b-0123456789')
    })
  }

  test('cannot be reached', async (t) => {
    const b = await startProvider(t, { onCall: answer })
    const app = await startApp(t, {
      targets: [
        { name: 'a', target: 'http://127.0.0.1:1' },
        { name: 'b', target: b.url, priority: 1 },
      ],
    })
    const response = await post(app.url + openai.path, openai.request)
    assert.equal(await response.text(), ANSWER)
    const record = await app.record()
    assert.deepEqual(
      record.attempts.map(({ target, code }) => [target, code]),
      [
        ['a', 'upstream_unreachable'],
        ['a', 'upstream_unreachable'],
        ['b', undefined],
      ],
    )
    assert.equal(app.proxy.stats().targets[0]?.coolingBecause, 'upstream_unreachable')
    // It is cooling now, so it is not asked.
    await (await post(app.url + openai.path, openai.request)).text()
    assert.deepEqual(
      (await app.record()).attempts.map(({ target }) => target),
      ['b'],
    )
  })
})

describe('the client gets', () => {
  test('nothing of another target after content', async (t) => {
    const { b, app } = await startPair(t, (call) => call.sse([ROLE, hel]).res.write(': ping\n\n', () => call.reset()))
    const response = await post(app.url + openai.path, openai.request)
    const text = await response.text()
    assert.ok(text.startsWith(ROLE + hel))
    const { outcome, code, target, attempts } = await app.record()
    assert.deepEqual([outcome, code, target, attempts.length], ['upstream_error', 'upstream_reset', 'a', 1])
    assert.equal(b.calls.length, 0)
  })

  test('an answer to a bad request at once', async (t) => {
    const { b, app } = await startPair(t, (call) => call.json(400, { error: { message: 'bad' } }))
    const response = await post(app.url + openai.path, openai.request)
    assert.deepEqual([response.status, await response.json()], [400, { error: { message: 'bad' } }])
    assert.equal(b.calls.length, 0)
    assert.deepEqual((await app.record()).outcome, 'provider_error')
  })

  // A target that does not know the model, or the response that a request continues, says nothing of why the first one failed.
  for (const second of [500, 404, 400]) {
    test(`the first error that a provider said itself, if all fail, the last one with ${second}`, async (t) => {
      const { app } = await startPair(
        t,
        (call) => call.json(503, { error: { message: 'first' } }, { 'request-id': 'req_1' }),
        (call) => call.json(second, { error: { message: 'second' } }),
      )
      const response = await post(app.url + openai.path, openai.request)
      assert.deepEqual([response.status, await response.json()], [503, { error: { message: 'first' } }])
      assert.equal(response.headers.get('request-id'), 'req_1')
      const { outcome, target, status, attempts } = await app.record()
      assert.deepEqual([outcome, target, status, attempts.length], ['provider_error', 'a', 503, 3])
    })
  }

  test('the error of the last one, if the first said nothing', async (t) => {
    const { app } = await startPair(
      t,
      (call) => call.reset(),
      (call) => call.json(404, { error: { message: 'second' } }),
    )
    const response = await post(app.url + openai.path, openai.request)
    assert.deepEqual([response.status, await response.json()], [404, { error: { message: 'second' } }])
  })

  test('its error in its own protocol if no target can be reached', async (t) => {
    const app = await startApp(t, { targets: [{ name: 'a', target: 'http://127.0.0.1:1' }] })
    const response = await post(app.url + anthropic.path, anthropic.request)
    assert.equal(response.status, 502)
    assert.equal(anthropic.errorIn(await response.json()).code, 'upstream_unreachable')
  })
})

test('the record names the target whose failure the client got', async (t) => {
  const b = await startProvider(t, { onCall: () => {} })
  const app = await startApp(t, {
    targets: [
      { name: 'a', target: 'http://127.0.0.1:1' },
      { name: 'b', target: b.url, priority: 1 },
    ],
    limits: { firstByteTimeoutMs: 50 },
    retry: { backoffMs: [0, 0] },
  })
  const response = await post(app.url + openai.path, openai.request)
  assert.equal(openai.errorIn(await response.json()).code, 'upstream_unreachable')
  const { code, target, attempts } = await app.record()
  assert.deepEqual([code, target, attempts.at(-1)?.target], ['upstream_unreachable', 'a', 'b'])
})

test('a target is not asked again after a backoff if it is full by then', async (t) => {
  let refused = 0
  const a = await startProvider(t, {
    onCall: (call) => (refused++ === 0 ? refuse(503, 'first', { 'retry-after-ms': '400' })(call) : call.sse([hel])),
  })
  const app = await startApp(t, {
    targets: [{ name: 'a', target: a.url, maxConcurrent: 1 }],
    retry: { backoffMs: [0, 0] },
  })
  const first = post(app.url + openai.path, openai.request)
  await until(() => app.proxy.stats().targets[0]?.failures === 1, 'the first request has failed')
  const abort = new AbortController()
  const second = await post(app.url + openai.path, openai.request, { signal: abort.signal })
  assert.equal(second.status, 200)
  assert.equal((await first).status, 503)
  assert.equal(a.calls.length, 2)
  abort.abort()
})

describe('an empty finish reason is none, so that a stream that ends after it', () => {
  const ends = (delta: object) =>
    `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta, finish_reason: '' }] })}\n\n`

  test('leads to the next target without content', async (t) => {
    const { app } = await startPair(t, (call) => call.sse([ends({ role: 'assistant' })]).end())
    assert.equal(await (await post(app.url + openai.path, openai.request)).text(), ANSWER)
    assert.deepEqual(attemptsOf(await app.record()), ['a upstream_truncated', 'a upstream_truncated', 'b'])
  })

  test('is truncated after content', async (t) => {
    const event = ends({ content: 'Hel' })
    const { b, app } = await startPair(t, (call) => call.sse([event]).end())
    const text = await (await post(app.url + openai.path, openai.request)).text()
    assert.ok(text.startsWith(event))
    assert.equal(openai.errorInEvent(text.slice(event.length)).code, 'upstream_truncated')
    assert.deepEqual([attemptsOf(await app.record()), b.calls.length], [['a upstream_truncated'], 0])
  })
})

describe('an error event that the client gets', () => {
  const errorEvent = (code: number) => `data: ${JSON.stringify({ error: { message: 'no', code } })}\n\n`

  test('after content is not followed by another attempt, whatever its status', async (t) => {
    const a = await startProvider(t, { onCall: (call) => call.sse([hel!, errorEvent(429)]).end() })
    const app = await startApp(t, { targets: [{ name: 'a', target: a.url }], retry: { attempts: 9 } })
    assert.equal(await (await post(app.url + openai.path, openai.request)).text(), hel + errorEvent(429))
    assert.deepEqual([attemptsOf(await app.record()), a.calls.length], [['a upstream_error'], 1])
  })

  test('is one failure, although its attempt had failed before', async (t) => {
    const { app } = await startPair(
      t,
      (call) => call.sse([ROLE, errorEvent(500)]).end(),
      (call) => call.sse([ROLE, errorEvent(500)]).end(),
    )
    await (await post(app.url + openai.path, openai.request)).text()
    await app.record()
    assert.deepEqual(
      app.proxy.stats().targets.map(({ attempts, failures }) => [attempts, failures]),
      [
        [2, 2],
        [1, 1],
      ],
    )
  })

  for (const [code, because] of [
    [400, undefined],
    [429, '429'],
    [500, 'failure_rate'],
  ] as const) {
    for (const before of [[ROLE], [ROLE, hel!]]) {
      const where = before.length === 1 ? 'before' : 'after'
      test(`of status ${code} ${where} any content cools its target as its status says`, async (t) => {
        const a = await startProvider(t, { onCall: (call) => call.sse([...before, errorEvent(code)]).end() })
        const app = await startApp(t, { targets: [{ name: 'a', target: a.url }], retry: { attempts: 1 } })
        for (let at = 0; at < 6; at++) {
          await (await post(app.url + openai.path, openai.request)).text()
          assert.equal((await app.record()).outcome, 'upstream_error')
        }
        assert.equal(app.proxy.stats().targets[0]!.coolingBecause, because)
      })
    }
  }
})
