import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { Registry } from 'prom-client'
import type { AiProxyOptions, CacheableRequest, HookedExchange } from '../../../lib/index.js'
import { memoryJournal } from '../../../lib/journal.js'
import { prometheusObserver } from '../../../lib/prometheus.js'
import { samplesOf } from '../../metrics/support/scrape.js'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { chatUsage, streams } from '../support/streams.js'

const { path, events, terminator } = openai
const request = { ...openai.request, temperature: 0 }
const all = [...events, terminator]

async function started(t: TestContext, cache: object = {}, given: Partial<AiProxyOptions> = {}) {
  const provider = await startProvider(t, { onCall: (call) => call.sse(events).end(terminator) })
  const app = await startApp(t, {
    target: provider.url,
    cache: { ttlMs: 60_000, scope: (req) => String(req.headers['x-team'] ?? 'all'), ...cache },
    ...given,
  } as AiProxyOptions)
  const ask = async (body: object = request, headers: Record<string, string> = {}) => {
    const response = await post(app.url + path, body, { headers })
    const how = response.headers.get('x-cache')
    return { response, how, text: await response.text(), record: await app.record() }
  }
  return { provider, app, ask }
}

describe('cache', () => {
  test('answers the same request again, event for event, without the provider', async (t) => {
    const { provider, ask, app } = await started(t)
    const first = await ask()
    assert.equal(first.how, 'miss')
    assert.equal(first.record.cache, 'miss')
    const second = await ask({ ...request, user: 'somebody', metadata: { a: 'b' } })
    assert.equal(second.how, 'hit')
    assert.equal(second.response.headers.get('age'), '0')
    assert.equal(second.text, first.text)
    assert.equal(provider.calls.length, 1)
    const { cache, usage, outcome, firstTokenMs, events: passed } = second.record
    assert.deepEqual([cache, outcome, passed], ['hit', 'completed', all.length])
    assert.deepEqual(usage, first.record.usage)
    assert.ok(firstTokenMs !== undefined)
    assert.deepEqual([app.proxy.stats().exchanges], [2])
  })

  test('scopes, models and streams are kept apart; no-store and no-cache are obeyed', async (t) => {
    const { provider, ask } = await started(t)
    await ask()
    assert.equal((await ask(request, { 'x-team': 'other' })).how, 'miss')
    assert.equal((await ask({ ...request, model: 'other' })).how, 'miss')
    assert.equal((await ask(request, { 'cache-control': 'no-cache' })).how, 'miss')
    assert.equal((await ask(request, { 'cache-control': 'no-store' })).how, null)
    assert.equal((await ask({ ...request, temperature: 1 })).how, null)
    assert.equal((await ask()).how, 'hit')
    assert.equal(provider.calls.length, 6)
  })

  test('`scope`, `key` and `when` get the exchange', async (t) => {
    const seen: unknown[] = []
    const { ask } = await started(
      t,
      {
        scope: (_: unknown, { subject }: HookedExchange) => subject!.id,
        key: ({ body }: CacheableRequest, { path: asked }: HookedExchange) => {
          seen.push([body, asked])
          return 'one for all'
        },
        when: ({ body }: CacheableRequest, { model, stream }: HookedExchange) => {
          seen.push([body, model, stream])
          return true
        },
      },
      { identify: (req) => req.get('x-user') ?? 'a' },
    )
    assert.equal((await ask()).how, 'miss')
    assert.deepEqual(seen, [
      [request, openai.request.model, true],
      [request, path],
    ])
    assert.equal((await ask({ ...request, messages: [] })).how, 'hit')
    assert.equal((await ask(request, { 'x-user': 'b' })).how, 'miss')
  })

  test('usage events are for clients that ask for them', async (t) => {
    const { frames, path: at, request: asking } = streams.chat
    const provider = await startProvider(t, { onCall: (call) => call.sse(frames.map(String)).end() })
    const app = await startApp(t, { target: provider.url, cache: { ttlMs: 1e6, scope: () => 'all' } })
    const { stream_options: _, ...silent } = { ...asking, temperature: 0 } as Record<string, unknown>
    const ask = async (body: object) => (await post(app.url + at, body)).text()
    const whole = Buffer.concat(frames).toString()
    const less = Buffer.concat(frames.filter((frame) => frame !== chatUsage)).toString()
    assert.equal(await ask(silent), less)
    assert.equal(await ask({ ...silent, stream_options: { include_usage: true } }), whole)
    assert.equal(await ask(silent), less)
    assert.equal(provider.calls.length, 1)
  })

  test('an answer that repeats its user is not shared', async (t) => {
    const provider = await startProvider(t, {
      onCall: async (call) => {
        const { user, metadata, safety_identifier, prompt_cache_key } = JSON.parse(await call.text)
        const said = { user, metadata, safety_identifier, prompt_cache_key }
        call.json(200, { id: 'resp_1', object: 'response', status: 'completed', output: [], ...said })
      },
    })
    const app = await startApp(t, { target: provider.url, cache: { ttlMs: 60_000, scope: () => 'all' } })
    const parts = [{ user: 'u' }, { metadata: { u: 1 } }, { safety_identifier: 'u' }, { prompt_cache_key: 'u' }]
    for (const said of [{}, ...parts]) {
      const response = await post(`${app.url}/v1/responses`, { model: 'm', input: 'Hi', temperature: 0, ...said })
      const { id, object, status, output, ...repeated } = (await response.json()) as Record<string, unknown>
      assert.deepEqual(repeated, said)
      await app.record()
    }
  })

  test('a plain answer that reports its usage is for all clients', async (t) => {
    const content = [{ type: 'text', text: 'Hello there' }]
    const answer = { id: 'm', type: 'message', content, stop_reason: 'end_turn', usage: { output_tokens: 4 } }
    const provider = await startProvider(t, { onCall: (call) => call.json(200, answer) })
    const app = await startApp(t, { target: provider.url, cache: { ttlMs: 1e6, scope: () => 'all' } })
    const ask = async () => {
      const response = await post(`${app.url}/v1/messages`, { model: 'm', max_tokens: 9, temperature: 0, messages: [] })
      assert.deepEqual(await response.json(), answer)
      await app.record()
      return response.headers.get('x-cache')
    }
    assert.deepEqual([await ask(), await ask()], ['miss', 'hit'])
  })

  test('cut and failed answers, tool calls and errors are not kept', async (t) => {
    const answers = [
      (call: import('../support/provider.js').Call) => call.sse(events.slice(0, 2)).end(),
      (call: import('../support/provider.js').Call) => call.json(500, { error: { message: 'no' } }),
      (call: import('../support/provider.js').Call) => {
        const tool = JSON.stringify({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'a' }] } }] })
        call.sse([`data: ${tool}\n\n`, ...events.slice(1)]).end(terminator)
      },
    ]
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, cache: { ttlMs: 1e6, scope: () => 'all' } })
    for (const answer of [...answers, ...answers]) {
      const asked = post(app.url + path, request)
      answer(await provider.next())
      const response = await asked
      assert.equal(response.headers.get('x-cache'), 'miss')
      await response.text()
    }
  })

  const parts = [{ text: 'Hi' }]
  const said = { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hi' }] }
  for (const [at, answer, usage] of [
    [
      path,
      { choices: [{ index: 0, message: { content: 'Hi' }, finish_reason: 'stop' }] },
      { prompt_tokens: 3, completion_tokens: 1 },
    ],
    [
      '/v1/responses',
      { id: 'r', object: 'response', status: 'completed', output: [said] },
      { input_tokens: 3, output_tokens: 1 },
    ],
    [
      '/v1/messages',
      { type: 'message', content: [{ type: 'text', text: 'Hi' }], stop_reason: 'end_turn' },
      { input_tokens: 3, output_tokens: 1 },
    ],
    [
      '/v2/chat',
      { message: { content: [{ type: 'text', text: 'Hi' }] }, finish_reason: 'COMPLETE' },
      { tokens: { input_tokens: 3, output_tokens: 1 } },
    ],
    [
      '/v1beta/models/gemini-test:generateContent',
      { candidates: [{ content: { parts }, finishReason: 'STOP' }] },
      undefined,
    ],
    ['/v1/embeddings', { object: 'list', data: [{ embedding: [1] }] }, { prompt_tokens: 3, total_tokens: 3 }],
  ] as const) {
    for (const told of usage ? [usage, undefined] : [undefined]) {
      test(`a JSON answer ${told ? 'with usage' : 'without usage'} is given again: ${at}`, async (t) => {
        const provider = await startProvider(t, { onCall: (call) => call.json(200, { ...answer, usage: told }) })
        const app = await startApp(t, {
          target: provider.url,
          cache: { ttlMs: 60_000, scope: () => 'all', when: () => true },
        })
        const ask = async () => {
          const response = await post(app.url + at, { model: 'm', input: 'Hi', stream: false })
          return {
            how: response.headers.get('x-cache'),
            text: await response.text(),
            usage: (await app.record()).usage,
          }
        }
        const [first, second] = [await ask(), await ask()]
        assert.deepEqual([first.how, second.how, provider.calls.length], ['miss', 'hit', 1])
        assert.deepEqual([second.text, second.usage], [first.text, first.usage])
      })
    }
  }

  test('a JSON answer is kept as JSON', async (t) => {
    const answer = {
      id: 'a',
      choices: [{ message: { content: 'hi' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 2 },
    }
    const provider = await startProvider(t, { onCall: (call) => call.json(200, answer) })
    const app = await startApp(t, { target: provider.url, cache: { ttlMs: 1e6, scope: () => 'all' } })
    for (const how of ['miss', 'hit']) {
      const response = await post(app.url + path, { ...request, stream: false })
      assert.equal(response.headers.get('x-cache'), how)
      assert.deepEqual(await response.json(), answer)
      assert.equal((await app.record()).usage?.outputTokens, 2)
    }
    assert.equal(provider.calls.length, 1)
    assert.equal(await app.proxy.cache.delete(({ path: at }) => at === path), 1)
    await (await post(app.url + path, { ...request, stream: false })).text()
    assert.equal(provider.calls.length, 2)
  })
})

test('Prometheus adds up what journals hold, each once', async (t) => {
  const register = new Registry()
  const observer = prometheusObserver({ register })
  t.after(() => observer.close())
  const shared = memoryJournal()
  for (const journal of [shared, shared, memoryJournal()]) {
    const { ask } = await started(t, { journal }, { observers: [observer] })
    await ask()
  }
  const samples = await samplesOf(register, 'ai_proxy_journal')
  assert.equal(samples[0], 'ai_proxy_journal{figure="entries"} 3')
})

describe('joining', () => {
  test('identical requests share one answer from its first event', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, {
      target: provider.url,
      cache: { ttlMs: 1e6, scope: () => 'all' },
      joinIdentical: true,
    })
    const leading = post(app.url + path, request)
    const call = await provider.next()
    const joining = [post(app.url + path, request), post(app.url + path, request)]
    call.sse(events.slice(0, 1))
    const [leader, ...others] = await Promise.all([leading, ...joining])
    assert.deepEqual(
      [leader!, ...others].map(({ headers }) => headers.get('x-cache')),
      ['miss', 'join', 'join'],
    )
    for (const event of events.slice(1)) call.send(event)
    call.end(terminator)
    for (const response of [leader!, ...others]) assert.deepEqual(await new Events(response).rest(), all)
    assert.equal(provider.calls.length, 1)
  })

  test('the first may leave while others read', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, {
      target: provider.url,
      cache: { ttlMs: 1e6, scope: () => 'all' },
      joinIdentical: true,
    })
    const leave = new AbortController()
    const leading = post(app.url + path, request, { signal: leave.signal })
    const call = await provider.next()
    const joining = post(app.url + path, request)
    call.sse(events.slice(0, 1))
    const response = await joining
    await leading
    const reader = new Events(response)
    assert.equal(await reader.next(), events[0])
    leave.abort()
    for (const event of events.slice(1)) call.send(event)
    call.end(terminator)
    assert.deepEqual(await reader.rest(), all.slice(1))
    const records = [await app.record(), await app.record()]
    assert.deepEqual(records.map(({ cache }) => cache).sort(), ['join', 'miss'])
  })

  test('if the first leaves before there is an answer, another asks', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, {
      target: provider.url,
      cache: { ttlMs: 1e6, scope: () => 'all' },
      joinIdentical: true,
    })
    const leading = post(app.url + path, request)
    const call = await provider.next()
    const joining = post(app.url + path, request)
    const id = app.proxy.exchanges()[0]!.id
    while (app.proxy.exchanges().length < 2) await new Promise(setImmediate)
    app.proxy.abort(id)
    await call.gone
    assert.equal((await leading).status, 503)
    const second = await provider.next()
    second.sse(events).end(terminator)
    assert.deepEqual(await new Events(await joining).rest(), all)
  })
})
