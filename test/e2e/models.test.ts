import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { type Owner, startProvider } from './support/provider.js'
import { assertTold, streams, type WireStream } from './support/streams.js'

const { chat, anthropic, geminiSse, invoke } = streams

describe('models', () => {
  const arn = 'arn:aws:bedrock:eu-north-1:123456789012:application-inference-profile/abc123'
  const models = ['good', /^fine-\d+$/g, arn, 'anthropic.good:0']
  const ok = { 'content-type': 'application/json' }

  async function answerTo(
    t: Owner,
    path: string,
    body: string,
    method = 'POST',
    options: Partial<AiProxyOptions> = {},
  ) {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url, models, endpoints: 'all', ...options })
    const init = { method, headers: ok, ...(method === 'POST' && { body }) }
    const response = await fetch(app.url + path, init)
    const text = await response.text()
    return { status: response.status, text, record: await app.record(), reached: provider.calls.length }
  }

  const named = (model: string) => JSON.stringify({ model })
  const allowed: [string, string, string][] = [
    ['/v1/chat/completions', named('good'), 'good'],
    ['/v1/chat/completions', named('fine-12'), 'fine-12'],
    ['/v1/messages', named('good'), 'good'],
    ['/v1beta/models/good:generateContent', '{}', 'good'],
    [`/model/${encodeURIComponent(arn)}/converse`, '{}', arn],
    ['/model/anthropic.good%3A0/converse', '{}', 'anthropic.good:0'],
    ['/openai/deployments/good/chat/completions?api-version=1', named('whatever Azure does not read'), 'good'],
    ['/api/chat', named('good'), 'good'],
    ['/v2/chat', named('good'), 'good'],
  ]
  test('a model that a header names must be allowed as well', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url, models })
    const answerWith = async (name: string) => {
      const headers = { 'x-ms-oai-image-generation-deployment': name }
      return (await post(`${app.url}/v1/responses`, { model: 'good' }, { headers })).status
    }
    assert.deepEqual([await answerWith('fine-1'), await answerWith('bad')], [200, 403])
    assert.equal(provider.calls.length, 1)
  })

  for (const [path, body, model] of allowed) {
    test(`allowed: ${model} at ${path}`, async (t) => {
      const { status, record, reached } = await answerTo(t, path, body)
      assert.deepEqual([status, reached], [200, 1])
      assertTold(record, { model, outcome: 'completed' })
    })
  }

  const refused: [string, string, RegExp][] = [
    ['/v1/chat/completions', named('bad'), /^\{"error":\{"message":".*bad.*","type":".*","code":"model_not_allowed"/],
    ['/v1/chat/completions', named('xfine-12'), /model_not_allowed/],
    ['/v1/chat/completions', '{}', /names no model/],
    ['/v1/chat/completions', '{"model":["good"]}', /model_not_allowed/],
    ['/v1/messages', named('bad'), /^\{"type":"error","error":\{"type":".*","message":".*","code":"model_not_allowed"/],
    ['/v1beta/models/bad:generateContent', named('good'), /^\{"error":\{"code":403,.*"status":"PERMISSION_DENIED"/],
    ['/v1beta/models/bad:streamGenerateContent', '{}', /PERMISSION_DENIED/],
    [
      `/model/${encodeURIComponent(`${arn}4`)}/converse`,
      named('good'),
      /^\{"message":".*","code":"model_not_allowed"\}/,
    ],
    ['/model/anthropic.bad/invoke-with-response-stream', '{}', /model_not_allowed/],
    ['/openai/deployments/bad/chat/completions', named('good'), /model_not_allowed/],
    ['/api/chat', named('bad'), /^\{"error":".*","code":"model_not_allowed"\}/],
    ['/v2/chat', named('bad'), /^\{"message":".*","code":"model_not_allowed"\}/],
    ['/v1/embeddings', named('bad'), /model_not_allowed/],
    // OpenRouter falls back on these: https://openrouter.ai/docs/features/model-routing
    ['/api/v1/chat/completions', '{"model":"good","models":["bad"]}', /model_not_allowed/],
  ]
  for (const [path, body, said] of refused) {
    test(`rejected in the client's protocol: ${body} at ${path}`, async (t) => {
      const { status, text, record, reached } = await answerTo(t, path, body)
      assert.deepEqual([status, reached], [403, 0])
      assert.match(text, said)
      assertTold(record, { outcome: 'rejected', code: 'model_not_allowed', status: 403 })
    })
  }

  for (const body of [
    '{"model":"good","model":"bad"}',
    '{"model":"bad","model":"good"}',
    '{"model":"good","mod\\u0065l":"bad"}',
    '{"model":"good","MODEL":"bad"}',
  ]) {
    test(`rejects a model given twice, which parsers may read differently: ${body}`, async (t) => {
      const { status, reached } = await answerTo(t, '/api/chat', body)
      assert.deepEqual([status, reached], [400, 0])
    })
  }

  for (const [query, status] of [
    ['model=bad', 400],
    ['Model=bad', 400],
    ['x=1&mod%65l=bad', 400],
    ['x=1;model=bad', 400],
    ['model=good&model=bad', 400],
    ['model=', 400],
    ['model=good', 200],
    ['mode=bad&models=1', 200],
  ] as const) {
    test(`a model in the query, which LiteLLM obeys, has to be that of the body: ${query}`, async (t) => {
      const got = await answerTo(t, `/v1/chat/completions?${query}`, named('good'))
      assert.deepEqual([got.status, got.reached], [status, status === 200 ? 1 : 0])
    })
  }

  test('a model in the query has to be that of the body with targets that name models', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const targets = [{ name: 'a', target: provider.url, models: ['good'] }]
    const app = await startApp(t, { targets })
    const response = await post(`${app.url}/v1/chat/completions?model=bad`, { model: 'good' })
    assert.deepEqual([response.status, provider.calls.length], [400, 0])
  })

  test('lets a request for the list of models pass, which names none', async (t) => {
    const { status } = await answerTo(t, '/v1/models', '', 'GET')
    assert.equal(status, 200)
  })

  test('gives the same answer each time for a RegExp with the flag g', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url, models })
    for (const _ of [1, 2, 3]) {
      assert.equal((await post(`${app.url}/v1/chat/completions`, { model: 'fine-1' })).status, 200)
    }
  })

  test('rejects a body that is not JSON, which could hide a model', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url, models, endpoints: 'all' })
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=b']) {
      const headers = { 'content-type': type }
      const response = await post(`${app.url}/v1/chat/completions`, undefined, { body: named('bad'), headers })
      assert.equal(response.status, 403, type)
    }
    assert.equal(provider.calls.length, 0)
  })
})

describe('modelOptions', () => {
  const places: [WireStream, readonly string[]][] = [
    [chat, ['max_tokens']],
    [streams.completions, ['max_tokens']],
    [streams.responses, ['max_output_tokens']],
    [anthropic, ['max_tokens']],
    [geminiSse, ['generationConfig', 'maxOutputTokens']],
    [streams.converse, ['inferenceConfig', 'maxTokens']],
    [invoke, ['max_tokens']],
    [streams.ollamaChat, ['options', 'num_predict']],
    [streams.ollamaGenerate, ['options', 'num_predict']],
    [streams.cohere, ['max_tokens']],
  ]
  const at = (value: unknown, path: readonly string[]) =>
    path.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value)
  const nested = (path: readonly string[], value: unknown) =>
    path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Record<string, unknown>

  async function sent(
    t: Owner,
    stream: WireStream,
    request: object | string,
    modelOptions: AiProxyOptions['modelOptions'],
  ) {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url, endpoints: 'all', modelOptions, includeUsage: false })
    const body = typeof request === 'string' ? request : JSON.stringify(request)
    await (await post(app.url + stream.path, undefined, { body })).text()
    return (await provider.next()).text
  }

  for (const [stream, place] of places) {
    test(`${stream.name}: maxOutputTokens is written to ${place.join('.')}`, async (t) => {
      const { max_tokens: _, ...request } = stream.request
      const defaults = { maxOutputTokens: 70, temperature: 0.5 }
      const filled = JSON.parse(await sent(t, stream, request, { defaults }))
      assert.equal(at(filled, place), 70)
      assert.equal(filled.temperature, 0.5)
      assert.ok(!('maxOutputTokens' in filled))
      const asked = { ...request, temperature: 1, ...nested(place, 5) }
      const kept = JSON.parse(await sent(t, stream, asked, { defaults }))
      assert.deepEqual([at(kept, place), kept.temperature], [5, 1])
      const overridden = JSON.parse(await sent(t, stream, asked, { overrides: { maxOutputTokens: 3 } }))
      assert.deepEqual([at(overridden, place), overridden.temperature], [3, 1])
    })
  }

  test('merges objects at any depth, replaces lists, and cannot reach a prototype', async (t) => {
    const defaults = JSON.parse('{"a":{"b":1,"c":[1,2]},"__proto__":{"d":1}}')
    const request = '{"a":{"c":[3],"__proto__":{"polluted":true}},"constructor":{"prototype":{"polluted":true}}}'
    const body = await sent(t, chat, request, { defaults, overrides: { a: { e: null } } as never })
    assert.equal(({} as Record<string, unknown>).polluted, undefined)
    assert.equal(
      JSON.stringify(sorted(JSON.parse(body))),
      JSON.stringify(
        sorted(
          JSON.parse(
            '{"a":{"b":1,"c":[3],"e":null,"__proto__":{"polluted":true}},"__proto__":{"d":1},"constructor":{"prototype":{"polluted":true}}}',
          ),
        ),
      ),
    )
  })

  test('can set a default or an override for the model, to which the allow-list applies', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const modelOptions = { overrides: { model: 'ours' } }
    const app = await startApp(t, { target: provider.url, modelOptions, models: ['ours'] })
    assert.equal((await post(app.url + chat.path, { model: 'theirs' })).status, 200)
    assertTold(await app.record(), { model: 'ours' })
  })

  test('keeps the bytes of a request that needs no change', async (t) => {
    const body = '{ "temperature": 0.5, "seed": 12345678901234567890 }'
    assert.equal(await sent(t, chat, body, { defaults: { temperature: 1 } }), body)
  })

  test('sets no limit if tokens are only counted', async (t) => {
    const counting = { ...anthropic, path: '/v1/messages/count_tokens' }
    const body = JSON.parse(await sent(t, counting, { model: 'm' }, { defaults: { maxOutputTokens: 5 } }))
    assert.deepEqual(body, { model: 'm' })
  })
})

/** Its fields in the order of their names. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.entries(value)
    .map(([name, inner]): [string, unknown] => [name, sorted(inner)])
    .sort(([one], [other]) => one.localeCompare(other))
}
