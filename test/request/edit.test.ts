import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { AiProxyOptions } from '../../lib/api/options.js'
import type { RequestBody } from '../../lib/request/body.js'
import { CHAT, edited, type Given, JSON_TYPE, none, plain } from './editing.js'

const USAGE = '"stream_options":{"include_usage":true}'

describe('a request that needs no change', () => {
  for (const [name, text, options] of [
    ['that does not ask for a stream', '{ "model":"m", "n":1.0 }', {}],
    ['that asks for usage itself', `{"stream":true,${USAGE}}`, {}],
    ['with includeUsage: false', '{ "stream":true }', { includeUsage: false }],
    ['of a provider that reports usage unasked', '{ "stream":true }', { path: '/v1/messages' }],
    ['for a model that is allowed', '{ "model":"m", "seed":12345678901234567890 }', { models: ['m'] }],
    ['that onRequest does not change', '{ "model":"m", "seed":12345678901234567890 }', { onRequest: () => {} }],
    ['that is not an object', '[1.0]', { onRequest: () => {} }],
    [
      'that is not an object, at an endpoint that does not need one',
      '[1.0]',
      { path: '/v1/mine', modelOptions: { overrides: { a: 1 } } },
    ],
  ] as [string, string, Given][]) {
    test(`${name}: keeps the client’s bytes and headers`, async () => {
      const { body, given, headers, answer, hidesUsage } = await edited(text, options)
      assert.equal(body, given)
      assert.deepEqual([headers, answer, hidesUsage], [{}, undefined, false])
    })
  }

  test('may have no body', async () => {
    const { body, exchange } = await edited(none, { method: 'GET', path: '/v1/models', models: ['m'] })
    assert.equal(body, none)
    assert.deepEqual([exchange.model, exchange.asksForStream], [undefined, false])
  })

  for (const modelOptions of [{}, { defaults: { temperature: 1 } }, { overrides: { model: 'm' } }]) {
    test(`keeps its bytes if modelOptions add nothing: ${JSON.stringify(modelOptions)}`, async () => {
      const text = '{ "model":"m", "temperature":0.50, "seed":12345678901234567890 }'
      assert.equal((await edited(text, { modelOptions })).text, text)
    })
  }
})

describe('the exchange gets model and stream', () => {
  for (const [name, text, options, model, stream] of [
    ['from the body', '{"model":"m","stream":true}', {}, 'm', true],
    ['no stream', '{"model":"m","stream":false}', {}, 'm', false],
    ['no model', '{"stream":true}', {}, undefined, true],
    ['a model that is not a string', '{"model":{"a":1}}', {}, undefined, false],
    ['a name of any length', `{"model":"${'x'.repeat(1000)}"}`, {}, 'x'.repeat(256), false],
    ['a name that every object inherits', '{"constructor":1}', {}, undefined, false],
    [
      'Gemini’s path, not the body',
      '{"model":"other"}',
      { path: '/v1beta/models/gemini-3:streamGenerateContent' },
      'gemini-3',
      true,
    ],
    [
      'Bedrock’s path, not the body',
      '{"model":"other"}',
      { path: '/model/claude-5/converse-stream' },
      'claude-5',
      true,
    ],
    [
      'Azure’s path, not the body',
      '{"model":"other"}',
      { path: '/openai/deployments/mine/chat/completions' },
      'mine',
      false,
    ],
    [
      'Bedrock’s path, an ARN in it',
      '{}',
      { path: '/model/arn:aws:bedrock:us-east-1::foundation-model%2Fclaude/invoke' },
      'arn:aws:bedrock:us-east-1::foundation-model/claude',
      false,
    ],
    ['a model that modelOptions fill in', '{}', { modelOptions: { defaults: { model: 'd' } } }, 'd', false],
    [
      'a model that modelOptions override',
      '{"model":"m"}',
      { modelOptions: { overrides: { model: 'o', stream: true } } },
      'o',
      true,
    ],
  ] as [string, string, Given, string | undefined, boolean][]) {
    test(name, async () => {
      const { exchange } = await edited(text, options)
      assert.deepEqual([exchange.model, exchange.asksForStream], [model, stream])
    })
  }

  test('from what onRequest made of the body', async () => {
    const { exchange } = await edited('{"model":"m"}', {
      onRequest: (request) => {
        request.body = { model: 'hooked', stream: true }
      },
    })
    assert.deepEqual([exchange.model, exchange.asksForStream], ['hooked', true])
  })
})

describe('the steps', () => {
  test('run in this order: modelOptions, onRequest, models, usage', async () => {
    const seen: unknown[] = []
    const { text, body, hidesUsage } = await edited('{"model":"asked","stream":true}', {
      modelOptions: { defaults: { a: 1 } as never, overrides: { model: 'ruled' } as never },
      onRequest: (request, { model }) => {
        seen.push(model, request.body)
        request.body = { ...request.body, model: 'hooked' }
      },
      models: ['hooked'],
    })
    assert.deepEqual(seen, ['ruled', { a: 1, model: 'ruled', stream: true }])
    assert.equal(text, `{${USAGE},"model":"hooked","stream":true,"a":1}`)
    assert.equal(body.headers['content-length'], String(text.length))
    assert.equal(hidesUsage, true)
  })

  test('check the model that onRequest sets in place of an allowed one', async () => {
    const onRequest: AiProxyOptions['onRequest'] = ({ body }) => void Object.assign(body!, { model: 'b' })
    await assert.rejects(edited('{"model":"a"}', { onRequest, models: ['a'] }), { code: 'model_not_allowed' })
  })

  test('keep usage events for the client if onRequest asks for usage itself', async () => {
    const onRequest: AiProxyOptions['onRequest'] = ({ body }) => {
      Object.assign(body!, { stream_options: { include_usage: true } })
    }
    assert.equal((await edited('{"stream":true}', { onRequest })).hidesUsage, false)
  })

  test('end with an answer of onRequest', async () => {
    const { answer } = await edited('{"model":"b"}', { onRequest: () => ({ status: 402 }), models: ['a'] })
    assert.deepEqual(answer, { status: 402, headers: { 'content-length': '0' }, content: undefined })
  })

  test('forward the headers of onRequest', async () => {
    const onRequest: AiProxyOptions['onRequest'] = ({ headers }) => void Object.assign(headers, { 'x-a': '1' })
    assert.deepEqual((await edited('{}', { onRequest })).headers, { 'x-a': '1' })
  })
})

describe('the request for usage', () => {
  const asks = async (text: string, options: Given = {}) => (await edited(text, options)).text!.includes(USAGE)

  test('is added to a streaming request, and to its length', async () => {
    const { text, body, hidesUsage } = await edited('{"model":"m","stream":true,"seed":12345678901234567890}')
    assert.equal(text, `{${USAGE},"model":"m","stream":true,"seed":12345678901234567890}`)
    assert.deepEqual(body.headers, { 'content-type': JSON_TYPE, 'content-length': String(text.length) })
    assert.equal(hidesUsage, true)
  })

  for (const stream of ['1', '"true"', '"True"', '"on"', '"yes"', '"1"']) {
    test(`is added if a provider may read "stream" as true: ${stream}`, async () => {
      assert.equal(await asks(`{"stream":${stream}}`), true)
    })
  }

  for (const stream of ['false', '0', '"false"', '"off"', '"no"', '"0"', '""', 'null', '{}', '[true]', '2', '"x"']) {
    test(`is not added if a provider may read it as false or ignore it: ${stream}`, async () => {
      assert.equal(await asks(`{"stream":${stream}}`), false)
    })
  }

  test('is added to a large body of which only a few fields are known', async () => {
    const text = `{"pad":"${'x'.repeat(300_000)}","stream":true}`
    const { text: sent } = await edited({ ...plain(text), json: { stream: true } })
    assert.equal(sent, `{${USAGE},${text.slice(1)}`)
  })

  test('is added to a compressed body that could be decoded, which is then sent uncompressed', async () => {
    const text = '{"stream":true,"seed":12345678901234567890}'
    const headers = { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' }
    const compressed = { content: gzipSync(text), headers, json: JSON.parse(text), decoded: Buffer.from(text) }
    const { text: sent, body, hidesUsage } = await edited(compressed)
    assert.equal(sent, `{${USAGE},${text.slice(1)}`)
    assert.deepEqual(body.headers, { 'content-type': JSON_TYPE, 'content-length': String(sent.length) })
    assert.equal(hidesUsage, true)
    const left = await edited(compressed, { includeUsage: false })
    assert.equal(left.body, compressed)
  })

  test('is not added to a body that stays compressed', async () => {
    const body = { content: Buffer.from('{}'), headers: { 'content-encoding': 'gzip' }, json: { stream: true } }
    const result = await edited(body)
    assert.equal(result.body, body)
    assert.equal(result.hidesUsage, false)
  })

  test('is in the bytes that onRequest signs', async () => {
    const signed: (string | undefined)[] = []
    const { text } = await edited('{"stream":true}', {
      onRequest: (request) => {
        signed.push(request.rawBody?.toString())
        request.body = { stream: true, a: 1 }
        signed.push(request.rawBody?.toString())
      },
    })
    assert.deepEqual(signed, [`{${USAGE},"stream":true}`, text])
  })

  test('is not sent to Mistral, which rejects it', async () => {
    const text = '{"stream":true}'
    assert.equal(await asks(text, { target: 'https://api.mistral.ai' }), false)
    assert.equal(await asks(text, { target: 'https://codestral.mistral.ai:443/' }), false)
    assert.equal(await asks(text, { target: 'https://mistral.ai.example' }), true)
    assert.equal(await asks(text, { target: 'https://notmistral.ai' }), true)
  })

  for (const [path, expected] of [
    [CHAT, true],
    ['/v1/completions', true],
    ['/openai/deployments/mine/chat/completions', true],
    ['/v1/audio/speech', false],
    ['/v1/images/generations', false],
    ['/v1/threads/t/runs', false],
    ['/v1/responses', false],
  ] as const) {
    test(`${path}: ${expected}`, async () => assert.equal(await asks('{"stream":true}', { path }), expected))
  }

  test('depends on the option format, whatever the path is', async () => {
    assert.equal(await asks('{"stream":true}', { path: '/mine', format: 'openai-chat' }), true)
    assert.equal(await asks('{"stream":true}', { format: 'anthropic' }), false)
  })
})

describe('a changed body', () => {
  const modelOptions = { overrides: { a: 1 } }

  test('has its new length, and is no longer compressed', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-8', 'content-encoding': 'gzip' }
    const decoded = Buffer.from('{"x":"é"}')
    const { body, text } = await edited(
      { content: gzipSync(decoded), headers, json: { x: 'é' }, decoded },
      { modelOptions },
    )
    assert.equal(text, '{"x":"é","a":1}')
    assert.deepEqual(body.headers, { 'content-type': headers['content-type'], 'content-length': '16' })
    assert.deepEqual(body.json, { x: 'é', a: 1 })
  })

  const replaced: AiProxyOptions['onRequest'] = (request) => {
    request.body = { a: 1 }
  }

  test('is labelled as JSON if there was none before', async () => {
    const { body } = await edited(none, { onRequest: replaced })
    assert.deepEqual(body.headers, { 'content-type': JSON_TYPE, 'content-length': '7' })
  })

  test('is labelled as JSON if its JSON had no content type', async () => {
    const { body } = await edited({ ...plain('{}'), headers: {} }, { onRequest: replaced })
    assert.deepEqual(body.headers, { 'content-type': JSON_TYPE, 'content-length': '7' })
  })

  test('is labelled as JSON if it replaces another type', async () => {
    const upload: RequestBody = { ...none, headers: { 'content-type': 'multipart/form-data; boundary=x' } }
    const { body } = await edited(upload, { onRequest: replaced })
    assert.equal(body.headers['content-type'], JSON_TYPE)
  })

  test('can be removed', async () => {
    const { body } = await edited('{"a":1}', {
      onRequest: (request) => {
        request.body = undefined
      },
    })
    assert.deepEqual(body, { content: undefined, headers: { 'content-length': '0' }, json: undefined })
  })

  test('gets no token limit if nothing is generated', async () => {
    const options = { modelOptions: { overrides: { maxOutputTokens: 5 } }, path: '/v1/messages/count_tokens' }
    assert.equal((await edited('{"model":"m"}', options)).text, '{"model":"m"}')
    assert.equal(
      (await edited('{"model":"m"}', { ...options, path: '/v1/messages' })).text,
      '{"model":"m","max_tokens":5}',
    )
  })
})

describe('a request with fallback models', () => {
  const naming = (further: number) => `{"model":"m","models":[${Array(further).fill('"m"').join()}]}`

  test('passes with a hundred of them', async () => {
    const text = naming(100)
    assert.equal((await edited(text, { models: ['m'] })).text, text)
  })

  test('is rejected with more', async () => {
    await assert.rejects(edited(naming(101), { models: ['m'] }), { code: 'invalid_request', status: 400 })
  })
})

test('a long body that a hook has changed is joined in turns, not copied at once', async (t) => {
  const x = 'x'.repeat(3 * 1024 * 1024)
  const concat = t.mock.method(Buffer, 'concat')
  const { text, body } = await edited(`{ "model":"m", "x":"${x}" }`, {
    onRequest: (request) => {
      request.body = { ...(request.body as object), model: 'n' }
    },
  })
  assert.equal(text, `{ "model":"n", "x":"${x}" }`)
  assert.equal(body.headers['content-length'], String(text?.length))
  const copied = concat.mock.calls.map(({ result }) => (result as Buffer).length)
  assert.deepEqual(
    copied.filter((bytes) => bytes > 1024 * 1024),
    [],
  )
})
