import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import { setImmediate as nextRound } from 'node:timers/promises'
import OpenAI from 'openai'
import type { AiProxyOptions } from '../../lib/index.js'
import { settled } from '../support/event-loop.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { type Owner, startProvider } from './support/provider.js'
import { assertTold, streams } from './support/streams.js'
import { within } from './support/waiting.js'

type OnRequest = NonNullable<AiProxyOptions['onRequest']>

const { chat, anthropic, geminiSse, converse } = streams
const plain = { model: 'm', messages: [{ role: 'user', content: 'Hi' }], seed: 7 }

/** Sends a request through a hook; what the provider got, and what came back. */
async function hooked(
  t: Owner,
  onRequest: OnRequest,
  {
    path = chat.path,
    body = JSON.stringify(plain),
    ...options
  }: Partial<AiProxyOptions> & { path?: string; body?: string } = {},
) {
  const provider = await startProvider(t, { onCall: (call) => call.json(200, { id: 'from the provider' }) })
  const app = await startApp(t, { target: provider.url, onRequest, ...options })
  const response = await within(post(app.url + path, undefined, { body }), 'the answer')
  const text = await response.text()
  return {
    provider,
    call: provider.calls[0],
    sent: await provider.calls[0]?.text,
    response,
    text,
    record: await app.record(),
  }
}

/** The same, at once and after a while. */
const ways: readonly [string, (hook: OnRequest) => OnRequest][] = [
  ['sync', (hook) => hook],
  [
    'async',
    (hook) => async (request, exchange) => {
      await nextRound()
      return hook(request, exchange)
    },
  ],
]

describe('onRequest', () => {
  for (const [way, as] of ways) {
    test(`reads the body, ${way}: the bytes stay unchanged`, async (t) => {
      const seen: Parameters<OnRequest>[] = []
      const body = '{ "model": "m", "stream": false,\n "seed": 12345678901234567890 }'
      const read = as((request, exchange) => void seen.push([request, exchange]))
      const { sent, record } = await hooked(t, read, { body })
      assert.equal(sent, body)
      assert.equal(seen.length, 1)
      const [{ format, body: parsed, rawBody }, { id, path, model, stream, req }] = seen[0]!
      assert.deepEqual([id, path, model, stream, format], [record.id, chat.path, 'm', false, 'openai-chat'])
      assert.deepEqual(parsed, JSON.parse(body))
      assert.equal(rawBody?.toString(), body)
      assert.equal(req.method, 'POST')
    })

    test(`replaces the body by assignment, ${way}`, async (t) => {
      const replace = as((request) => {
        if (request.format === 'openai-chat') request.body = { ...request.body, model: 'ours', temperature: 0 }
      })
      const { sent, call, record } = await hooked(t, replace)
      assert.deepEqual(JSON.parse(sent ?? ''), { ...plain, model: 'ours', temperature: 0 })
      assert.equal(call?.headers['content-length'], String(sent?.length))
      assertTold(record, { model: 'ours', outcome: 'completed' })
    })

    test(`replaces the body by mutation, ${way}`, async (t) => {
      const mutate = as((request) => {
        if (request.format === 'openai-chat') request.body!.messages!.push({ role: 'user', content: 'And ünicode' })
      })
      const { sent } = await hooked(t, mutate)
      const messages = JSON.parse(Buffer.from(sent ?? '', 'latin1').toString()).messages
      assert.deepEqual(messages, [...plain.messages, { role: 'user', content: 'And ünicode' }])
    })

    test(`answers in the provider's place, ${way}`, async (t) => {
      const answered: [ReturnType<OnRequest>, number, string, string | null][] = [
        [{ body: { cached: true } }, 200, '{"cached":true}', 'application/json; charset=utf-8'],
        [
          { status: 202, headers: { 'Content-Type': 'text/plain', 'x-of': 'ours' }, body: 'hi' },
          202,
          'hi',
          'text/plain',
        ],
        [{ body: Buffer.from('bytes') }, 200, 'bytes', null],
        [{ status: 204 }, 204, '', null],
        [{}, 200, '', null],
      ]
      for (const [answer, status, said, type] of answered) {
        const { response, text, provider, record } = await hooked(
          t,
          as(() => answer),
        )
        assert.deepEqual([response.status, text, response.headers.get('content-type')], [status, said, type])
        assert.equal(provider.calls.length, 0)
        assertTold(record, { outcome: 'completed', status, downstreamBytes: said.length, usage: undefined })
      }
    })

    const thrown: [string, unknown, number, RegExp][] = [
      [
        'a 4xx, whose message is shown',
        Object.assign(new Error('no credit left'), { status: 402 }),
        402,
        /no credit left/,
      ],
      ['a 4xx by statusCode', Object.assign(new Error('slow down'), { statusCode: 429 }), 429, /slow down/],
      [
        'a 4xx whose message must not be shown',
        Object.assign(new Error('secret'), { status: 400, expose: false }),
        400,
        /refused/,
      ],
      ['a 5xx, whose message is not shown', Object.assign(new Error('secret'), { status: 503 }), 503, /refused/],
      ['an error without a status', new Error('secret'), 500, /internal_error/],
      ['an invalid error status', Object.assign(new Error('secret'), { status: 200 }), 500, /internal_error/],
      ['undefined', undefined, 500, /internal_error/],
    ]
    for (const [what, error, status, said] of thrown) {
      test(`throws ${what}, ${way}: ${status} in the client's protocol`, async (t) => {
        const throws = as(() => {
          throw error
        })
        const { response, text, provider, record } = await hooked(t, throws)
        assert.equal(response.status, status)
        assert.match(text, said)
        assert.ok(!text.includes('secret'))
        const code = status === 500 ? 'internal_error' : 'request_refused'
        assert.equal(JSON.parse(text).error.code, code)
        assert.equal(provider.calls.length, 0)
        assertTold(record, { outcome: 'rejected', code, status })
      })
    }
  }

  test('sets headers, which override all others', async (t) => {
    const { call } = await hooked(
      t,
      (request) => {
        request.headers.authorization = 'Bearer of the tenant'
        request.headers['X-Tenant'] = 't1'
      },
      { auth: { headers: { authorization: 'Bearer of the app' } }, headers: { 'x-tenant': 't0' } },
    )
    assert.equal(call?.headers.authorization, 'Bearer of the tenant')
    assert.equal(call?.headers['x-tenant'], 't1')
  })

  // What the provider takes for the rest of the body it would read as a request, with the app's credentials.
  for (const framing of [
    { 'content-length': '5' },
    { 'transfer-encoding': 'chunked' },
    { connection: 'upgrade', upgrade: 'websocket' },
  ]) {
    test(`cannot desynchronise the connection through framing headers: ${Object.keys(framing)}`, async (t) => {
      const { sent, call, response } = await hooked(t, (request) => void Object.assign(request.headers, framing))
      assert.ok(response.status === 200 || response.status === 500, `status ${response.status}`)
      if (response.status === 200) assert.equal(sent, JSON.stringify(plain))
      assert.equal(call?.headers.upgrade, undefined)
    })
  }

  for (const [what, value] of [
    ['that HTTP forbids', 'a\r\nb: c'],
    ['that is undefined', undefined],
  ] as const) {
    test(`a header value ${what} is reported as the app's error, not the provider's`, async (t) => {
      const { record } = await hooked(t, ({ headers }) => void Object.assign(headers, { 'x-a': value }))
      assert.notEqual(record.outcome, 'upstream_error')
    })
  }

  test('an answer with an invalid status is a 500, not a crash', async (t) => {
    for (const status of [99, 1000, Number.NaN]) {
      const { response, record } = await hooked(t, () => ({ status }))
      assert.equal(response.status, 500)
      assertTold(record, { code: 'internal_error' })
    }
  })

  test('gets the exact bytes for the provider as rawBody, so that a signature of it is valid', async (t) => {
    const sign = (bytes: Buffer | string) => createHmac('sha256', 'key').update(bytes).digest('hex')
    for (const stream of [false, true]) {
      const { call, sent } = await hooked(
        t,
        (request) => {
          if (request.format === 'openai-chat') request.body = { ...request.body, temperature: 0 }
          request.headers['x-signature'] = sign(request.rawBody!)
        },
        { body: JSON.stringify({ ...plain, stream }) },
      )
      assert.equal(call?.headers['x-signature'], sign(sent ?? ''), `stream: ${stream}`)
    }
  })

  test('sees the result of modelOptions, and the model that it sets must be on the allow-list', async (t) => {
    const models: unknown[] = []
    const options = { modelOptions: { overrides: { model: 'ours' } }, models: ['ours'] }
    const { response } = await hooked(
      t,
      (request, { model }) => {
        models.push(model)
        if (request.format === 'openai-chat') request.body!.model = 'another'
      },
      options,
    )
    assert.deepEqual(models, ['ours'])
    assert.equal(response.status, 403)
  })

  test('sends nothing to the provider if the client leaves while it runs', async (t) => {
    const provider = await startProvider(t)
    let leave: () => void = () => {}
    const isLeft = new Promise<void>((resolve) => {
      leave = resolve
    })
    let entered: () => void = () => {}
    const isEntered = new Promise<void>((resolve) => {
      entered = resolve
    })
    const app = await startApp(t, {
      target: provider.url,
      onRequest: async () => {
        entered()
        await isLeft
      },
    })
    const client = (await connect(t, app.port)).post(`/ai${chat.path}`, plain)
    await isEntered
    client.leave()
    assertTold(await app.record(), { outcome: 'client_disconnect' })
    leave()
    await nextRound()
    assert.equal(provider.calls.length, 0)
  })

  for (const stream of [chat, anthropic]) {
    test(`that never settles is bounded by firstByteTimeoutMs: ${stream.name}`, async (t) => {
      const { response, text, provider, record } = await hooked(t, () => new Promise(() => {}), {
        path: stream.path,
        body: JSON.stringify(stream.request),
        limits: { firstByteTimeoutMs: 30 },
      })
      assert.equal(response.status, 504)
      const { code, message } = JSON.parse(text).error
      assert.equal(code, 'first_byte_timeout')
      assert.equal(message, "The app's `onRequest` did not answer in time (limits.firstByteTimeoutMs: 30)")
      assert.equal(provider.calls.length, 0)
      assertTold(record, {
        outcome: 'limit_exceeded',
        limit: 'firstByteTimeoutMs',
        code: 'first_byte_timeout',
        status: 504,
      })
    })
  }

  test('that settles too late sends nothing to the provider', async (t) => {
    let settle: () => void = () => {}
    const isLate = new Promise<void>((resolve) => {
      settle = resolve
    })
    const { response, provider } = await hooked(t, () => isLate, { limits: { firstByteTimeoutMs: 30 } })
    assert.equal(response.status, 504)
    settle()
    await settled()
    assert.equal(provider.calls.length, 0)
  })

  test('works alike for each protocol, which `format` names', async (t) => {
    for (const stream of [anthropic, geminiSse, converse]) {
      const seen: string[] = []
      const { record } = await hooked(t, ({ format }) => void seen.push(format), {
        path: stream.path,
        body: JSON.stringify(stream.request),
      })
      assert.deepEqual(seen, [stream.format])
      assert.equal(record.format, stream.format)
    }
  })

  test('a body nested deeper than the stack allows does not crash the process', async (t) => {
    const body = `{"model":"m","messages":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
    const { response } = await hooked(t, () => {}, { body })
    assert.ok(response.status === 200 || response.status === 400, `status ${response.status}`)
  })

  test("OpenAI's SDK accepts the app's answer in place of the provider's", async (t) => {
    const provider = await startProvider(t)
    const choices = [{ index: 0, message: { role: 'assistant', content: 'from the cache' }, finish_reason: 'stop' }]
    const app = await startApp(t, {
      target: provider.url,
      onRequest: (_request, { model }) => ({
        body: { id: 'cached', object: 'chat.completion', created: 1, model, choices },
      }),
    })
    const client = new OpenAI({ baseURL: `${app.url}/v1`, apiKey: 'k', maxRetries: 0 })
    const answer = await client.chat.completions.create({ model: 'm', messages: [] })
    assert.equal(answer.choices[0]?.message.content, 'from the cache')
  })

  test('can answer with a whole stream', async (t) => {
    const { response, text } = await hooked(
      t,
      () => ({ headers: { 'content-type': chat.contentType }, body: Buffer.concat(chat.frames) }),
      { body: JSON.stringify(chat.request) },
    )
    assert.equal(response.headers.get('content-type'), chat.contentType)
    assert.equal(text, Buffer.concat(chat.frames).toString())
  })
})
