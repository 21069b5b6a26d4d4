import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AiProxyOptions, aiProxy } from '../../../lib/index.js'
import { startApp } from '../support/app.js'
import { post } from '../support/client.js'
import { anthropic, openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { sendStream, streams } from '../support/streams.js'
import { answer, startPair } from '../support/targets.js'

const target = 'http://127.0.0.1:1'
const messages = [{ role: 'user', content: 'Hi' }]

describe('a request goes only to targets', () => {
  test('that speak its protocol', async (t) => {
    const { a, b, app } = await startPair(
      t,
      (call) => sendStream(call, streams.anthropic, streams.anthropic.frames).end(),
      answer,
      { ofA: { formats: ['anthropic'] }, ofB: { formats: ['openai-chat', 'openai-responses'] } },
    )
    await (await post(app.url + openai.path, openai.request)).text()
    assert.equal((await app.record()).target, 'b')
    await (await post(app.url + anthropic.path, anthropic.request)).text()
    assert.equal((await app.record()).target, 'a')
    assert.deepEqual([a.calls.length, b.calls.length], [1, 1])
  })

  test('and to none if no target speaks it, which the client learns in its protocol', async (t) => {
    const app = await startApp(t, { targets: [{ name: 'a', target, formats: ['openai-chat'] }] })
    const response = await post(app.url + anthropic.path, anthropic.request)
    assert.equal(response.status, 404)
    assert.equal(anthropic.errorIn(await response.json()).code, 'endpoint_not_allowed')
    assert.deepEqual((await app.record()).attempts, [])
  })

  test('that serve its model, by name, by RegExp, or by alias', async (t) => {
    const { app } = await startPair(t, answer, answer, {
      ofA: { models: ['gpt-5', /^o\d/] },
      ofB: { models: [{ fast: 'gpt-4.1-mini' }, 'gpt-5'] },
    })
    for (const [model, served, name] of [
      ['gpt-5', 'a', 'gpt-5'],
      ['o3', 'a', 'o3'],
      ['fast', 'b', 'gpt-4.1-mini'],
    ]) {
      await (await post(app.url + openai.path, { ...openai.request, model })).text()
      const record = await app.record()
      assert.deepEqual([record.target, record.model, record.attempts[0]?.model], [served, model, name])
    }
  })

  test('of which none serves an unknown model: 404 with the names that exist', async (t) => {
    const app = await startApp(t, {
      targets: [
        { name: 'a', target, models: ['gpt-5'] },
        { name: 'b', target, models: { fast: 'gpt-4.1-mini' } },
      ],
    })
    for (const protocol of [openai, anthropic]) {
      const response = await post(app.url + protocol.path, { ...protocol.request, model: 'gpt-6' })
      assert.equal(response.status, 404)
      const { code, message } = protocol.errorIn(await response.json())
      assert.deepEqual(
        [code, message],
        ['model_not_found', 'The model gpt-6 does not exist here. There are: gpt-5, fast'],
      )
    }
  })

  test('and learns no names if there are 20 or more', async (t) => {
    const models = Array.from({ length: 20 }, (_, at) => `model-${at}`)
    const app = await startApp(t, { targets: [{ name: 'a', target, models }] })
    const response = await post(app.url + openai.path, openai.request)
    assert.equal(openai.errorIn(await response.json()).message, 'The model gpt-test does not exist here')
  })
})

describe('the name of the model is replaced, and no other byte', () => {
  const ofA = { models: { fast: 'gpt-4.1-mini' } }

  for (const [what, before, after] of [
    [
      'in a body',
      '{ "model" : "',
      '" , "stream":true, "n": 1e3, "big": 1152921504606846977, "2":0, "1":0, "messages":[] }\n',
    ],
    [
      'in a body of 10 MiB',
      `{"messages":[{"role":"user","content":"${'\\u00e9 '.repeat((10 * 1024 * 1024) / 7)}"}],"stream":true,"model":"`,
      '"}',
    ],
  ] as const) {
    test(what, async (t) => {
      const { a, app } = await startPair(t, (call) => call.body.then(() => answer(call)), answer, {
        ofA,
        limits: { maxDecodedRequestBytes: 16 * 1024 * 1024 },
        includeUsage: false,
      })
      const response = await fetch(app.url + openai.path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `${before}fast${after}`,
      })
      await response.text()
      const call = a.calls[0]!
      const sent = await call.text
      assert.ok(sent === `${before}gpt-4.1-mini${after}`, 'the body differs')
      assert.equal(call.headers['content-length'], String(sent.length))
    })
  }

  for (const [what, path, expected] of [
    [
      "in Gemini's path",
      '/v1beta/models/fast:streamGenerateContent?alt=sse',
      '/v1beta/models/gpt-4.1-mini:streamGenerateContent?alt=sse',
    ],
    ["in Bedrock's path", '/model/fast/converse-stream', '/model/gpt-4.1-mini/converse-stream'],
    [
      "in Azure's path",
      '/openai/deployments/fast/chat/completions?api-version=1',
      '/openai/deployments/gpt-4.1-mini/chat/completions?api-version=1',
    ],
  ] as const) {
    test(what, async (t) => {
      const { a, app } = await startPair(t, (call) => call.json(200, {}), answer, { ofA, includeUsage: false })
      const body = '{"contents": [],  "messages":[]}'
      await (
        await fetch(app.url + path, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
      ).text()
      assert.deepEqual([a.calls[0]?.url, await a.calls[0]?.text], [expected, body])
      const record = await app.record()
      assert.deepEqual([record.model, record.attempts[0]?.model], ['fast', 'gpt-4.1-mini'])
    })
  }

  test('also if the base URL of a target names one, in whatever order they are', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const azure = { name: 'azure', target: `${provider.url}/openai/deployments/ours`, models: { fast: 'ours' } }
    const other = { name: 'other', target: `${provider.url}/v1`, models: { fast: 'gpt-4.1' } }
    const cooling = { azure: 'other', other: 'azure' }
    for (const targets of [
      [azure, other],
      [other, azure],
    ]) {
      const app = await startApp(t, { targets, models: ['fast'] })
      for (const [name, cools] of Object.entries(cooling)) {
        app.proxy.warm(name)
        app.proxy.cool(cools, 60_000)
        const response = await post(`${app.url}/chat/completions`, { model: 'fast', messages })
        assert.equal(response.status, 200)
        await response.text()
        const { target, model, attempts } = await app.record()
        assert.deepEqual([target, model, attempts[0]?.model], [name, 'fast', name === 'azure' ? 'ours' : 'gpt-4.1'])
      }
    }
  })

  test('by the next target if that of the first cannot stand in the path', async (t) => {
    const { a, app } = await startPair(t, answer, answer, {
      ofA: { models: { fast: 'org/gpt' } },
      ofB: { models: { fast: 'ours' } },
    })
    const path = '/openai/deployments/fast/chat/completions'
    await (await post(app.url + path, { messages })).text()
    const { target, attempts } = await app.record()
    assert.deepEqual(
      [target, attempts.map(({ code }) => code), a.calls.length],
      ['b', ['model_not_found', undefined], 0],
    )
  })

  test('by each target on its own: an attempt changes nothing for the next', async (t) => {
    const { a, b, app } = await startPair(t, (call) => call.json(500, {}), answer, {
      ofA,
      ofB: { models: { fast: 'mistral-small' } },
      retry: { attempts: 2 },
    })
    await (await post(app.url + openai.path, { ...openai.request, model: 'fast' })).text()
    const models = [a, b].map(async ({ calls }) => (JSON.parse(await calls[0]!.text) as { model: string }).model)
    assert.deepEqual(await Promise.all(models), ['gpt-4.1-mini', 'mistral-small'])
    assert.equal((await app.record()).model, 'fast')
  })
})

describe('the allow-list speaks of the names of clients', () => {
  test('and not of those of the provider', async (t) => {
    const { app } = await startPair(t, answer, answer, {
      models: ['fast'],
      ofA: { models: { fast: 'gpt-5', slow: 'x' } },
    })
    const statusOf = async (model: string) => (await post(app.url + openai.path, { ...openai.request, model })).status
    assert.deepEqual([await statusOf('fast'), await statusOf('gpt-5'), await statusOf('slow')], [200, 403, 403])
  })
})

describe("the client's name stands in the answer with `showAlias`", () => {
  const aliased: Partial<AiProxyOptions> = { showAlias: true, includeUsage: false }
  const ofA = { models: { fast: 'gpt-test' } }

  test('in each event of a stream, and the record has the provider’s', async (t) => {
    const { app } = await startPair(t, answer, answer, { ...aliased, ofA })
    const response = await post(app.url + openai.path, { ...openai.request, model: 'fast' })
    const expected = openai.events.join('').replaceAll('"gpt-test"', '"fast"') + openai.terminator
    assert.equal(await response.text(), expected)
    const { model, responseModel, attempts } = await app.record()
    assert.deepEqual([model, responseModel, attempts[0]?.model], ['fast', 'gpt-test', 'gpt-test'])
  })

  test('in a JSON answer', async (t) => {
    const body =
      '{ "id":"c", "model" : "gpt-test" , "choices":[{"finish_reason":"stop","message":{"content":"gpt-test 1e3"}}],"n":1.0}'
    const onCall = (call: Parameters<typeof answer>[0]) => {
      call.res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
      call.end(body)
    }
    const { app } = await startPair(t, onCall, answer, { ...aliased, ofA })
    const response = await post(app.url + openai.path, { model: 'fast', messages })
    assert.equal(await response.text(), body.replace('"gpt-test"', '"fast"'))
    assert.equal((await app.record()).responseModel, 'gpt-test')
  })

  test('and not without it', async (t) => {
    const { app } = await startPair(t, answer, answer, { ofA })
    const text = await (await post(app.url + openai.path, { ...openai.request, model: 'fast' })).text()
    assert.ok(text.includes('"gpt-test"') && !text.includes('"fast"'))
  })
})

describe('the list of models is answered from those of the targets', () => {
  const options: AiProxyOptions = {
    targets: [
      { name: 'a', target, models: ['gpt-5', 'secret'] },
      { name: 'b', target, models: { fast: 'gpt-4.1-mini', 'gpt-5': 'gpt-5-2025' } },
    ],
    models: ['gpt-5', 'fast'],
  }
  const lists = [
    ['OpenAI', '/v1/models', {}, (body: { data: { id: string }[] }) => body.data.map(({ id }) => id)],
    [
      'Anthropic',
      '/v1/models',
      { 'anthropic-version': '2023-06-01' },
      (body: { data: { id: string }[] }) => body.data.map(({ id }) => id),
    ],
    [
      'Gemini',
      '/v1beta/models',
      {},
      (body: { models: { name: string }[] }) => body.models.map(({ name }) => name.replace('models/', '')),
    ],
  ] as const

  for (const [protocol, path, headers, namesIn] of lists) {
    test(`in the protocol of ${protocol}, as far as the client may use them`, async (t) => {
      const app = await startApp(t, options)
      const list = await fetch(app.url + path, { headers })
      assert.equal(list.status, 200)
      assert.deepEqual(namesIn((await list.json()) as never), ['gpt-5', 'fast'])
      const one = await fetch(`${app.url + path}/fast`, { headers })
      assert.deepEqual([one.status, (await one.text()).includes('fast')], [200, true])
      const hidden = await fetch(`${app.url + path}/secret`, { headers })
      const text = await hidden.text()
      assert.deepEqual([hidden.status, /gpt-5, fast/.test(text)], [404, true], text)
    })
  }

  for (const [at, [protocol, path, headers, namesIn]] of lists.entries()) {
    test(`and only from those that speak ${protocol}’s protocol, if any does`, async (t) => {
      const formats = [['openai-chat', 'openai-responses'], ['anthropic'], ['gemini']] as const
      const all = formats.map((each, of) => ({ name: `t${of}`, target, formats: each, models: [`m${of}`, 'shared'] }))
      const namesWith = async (targets: AiProxyOptions['targets']) => {
        const app = await startApp(t, { targets })
        return namesIn((await (await fetch(app.url + path, { headers })).json()) as never)
      }
      assert.deepEqual(await namesWith([...all, { name: 'any', target, models: ['m'] }]), [`m${at}`, 'shared', 'm'])
      const others = all.filter((_, of) => of !== at)
      assert.deepEqual(await namesWith(others), [...new Set(others.flatMap(({ models }) => models))])
    })
  }

  test('and asked of a target if one of them does not list its models', async (t) => {
    const a = await startProvider(t, { onCall: (call) => call.json(200, { object: 'list', data: [] }) })
    const app = await startApp(t, { targets: [{ name: 'a', target: a.url, models: [/^gpt/] }], endpoints: 'all' })
    const response = await fetch(`${app.url}/v1/models`)
    assert.deepEqual([response.status, await response.json()], [200, { object: 'list', data: [] }])
    assert.equal(a.calls.length, 1)
  })
})

test('wrong options throw when the middleware is created', () => {
  assert.throws(() => aiProxy({ targets: [] }), /^TypeError: aiProxy: targets takes .*; got \[\]$/)
})
