import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import type { Response as ExpressResponse, Request } from 'express'
import { AiProxyError } from '../../lib/api/errors.js'
import type { HookAnswer, HookedExchange, HookedRequest } from '../../lib/api/hooks.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import type { RequestBody } from '../../lib/request/body.js'
import { runHook } from '../../lib/request/hook.js'
import { FakeResponse } from '../support/fake-response.js'

const sent = '{ "model": "gpt-5", "n": 1.0 }'

function exchangeOf(): Exchange {
  const req = { method: 'POST', url: '/v1/chat/completions' } as unknown as Request
  const exchange = new Exchange(req, new FakeResponse() as unknown as ExpressResponse)
  exchange.describe('gpt-5', true)
  return exchange
}

const bodyOf = (text: string): RequestBody => ({ content: Buffer.from(text), headers: {}, json: JSON.parse(text) })

/** What becomes of a request in this hook. */
function hooked(
  hook: (request: HookedRequest, exchange: HookedExchange) => unknown,
  body = bodyOf(sent),
  exchange = exchangeOf(),
) {
  const rewrite = (_: RequestBody, json: unknown): RequestBody => ({
    content: json === undefined ? undefined : Buffer.from(JSON.stringify(json)),
    headers: { rewritten: 'yes' },
    json,
  })
  return runHook(hook as never, exchange, body, rewrite)
}

/** A hook that puts another body in the place of this one. */
const replacing = (body: unknown) => (request: HookedRequest) => {
  request.body = body as HookedRequest['body']
}

const textOf = ({ content }: RequestBody) => (content as Buffer | undefined)?.toString()

describe('what a hook sees', () => {
  test('the exchange and the parsed body', async () => {
    const exchange = exchangeOf()
    const seen: unknown[] = []
    const hook = ({ rawBody: _, ...request }: HookedRequest, view: HookedExchange) => void seen.push(request, view)
    await hooked(hook, bodyOf(sent), exchange)
    assert.deepEqual(seen, [
      { format: 'openai-chat', body: { model: 'gpt-5', n: 1 }, headers: {} },
      exchange.hookView(),
    ])
  })

  test('the bytes that will be sent: the client’s, if the body is unchanged', async () => {
    const raw: (string | undefined)[] = []
    await hooked((request) => {
      raw.push(String(request.rawBody))
      request.body = { ...request.body, temperature: 1 }
      raw.push(String(request.rawBody))
      delete (request.body as Record<string, unknown>).temperature
      raw.push(String(request.rawBody))
    })
    assert.deepEqual(raw, [sent, '{"model":"gpt-5","n":1,"temperature":1}', sent])
  })

  test('no bytes if there is no body', async () => {
    await hooked((request) => assert.deepEqual([request.body, request.rawBody], [undefined, undefined]), {
      content: undefined,
      headers: {},
      json: undefined,
    })
  })

  test('no bytes if the body passes unread', async () => {
    const content = {} as unknown as RequestBody['content']
    const body = { content, headers: {}, json: undefined }
    const result = await hooked(
      (request) => assert.deepEqual([request.body, request.rawBody], [undefined, undefined]),
      body,
    )
    assert.equal(result.body, body)
  })
})

describe('what a hook changes', () => {
  const keeps: [name: string, hook: (request: HookedRequest) => unknown][] = [
    ['nothing', () => {}],
    ['nothing, asynchronously', async () => {}],
    ['the body by an equal one', replacing(JSON.parse(sent))],
    ['a field by the same value', ({ body }) => void Object.assign(body!, { n: 1 })],
  ]
  for (const [name, hook] of keeps) {
    test(`${name}: the client’s bytes are kept`, async () => {
      const body = bodyOf(sent)
      const result = await hooked(hook, body)
      assert.equal(result.body, body)
      assert.deepEqual([result.headers, result.answer], [{}, undefined])
    })
  }

  test('nothing: a long body is kept although the app’s parser left what JSON writes in another way', async () => {
    const left = { model: 'gpt-5', at: new Date(0), text: 'x'.repeat(70_000) }
    const exchange = exchangeOf()
    Object.assign(exchange.req, { body: left })
    const body = { ...bodyOf(JSON.stringify(left)), json: left }
    assert.equal((await hooked(() => {}, body, exchange)).body, body)
  })

  const changes: [
    name: string,
    hook: (request: HookedRequest, exchange: HookedExchange) => unknown,
    expected: string | undefined,
  ][] = [
    ['the body, by a new object', replacing({ model: 'x' }), '{"model":"x"}'],
    ['the body, in place', ({ body }) => void Object.assign(body!, { model: 'x' }), '{"model":"x","n":1}'],
    [
      'the body, in place and later',
      async ({ body }) => {
        await null
        Object.assign(body!, { model: 'x' })
      },
      '{"model":"x","n":1}',
    ],
    ['the order of fields', replacing({ n: 1, model: 'gpt-5' }), '{"n":1,"model":"gpt-5"}'],
    ['the body, by undefined', replacing(undefined), undefined],
    ['the body, by null', replacing(null as never), 'null'],
  ]
  for (const [name, hook, expected] of changes) {
    test(name, async () => {
      const { body } = await hooked(hook)
      assert.equal(textOf(body), expected)
      assert.deepEqual(body.headers, { rewritten: 'yes' })
    })
  }

  test('a body may be set if there was none', async () => {
    const none = { content: undefined, headers: {}, json: undefined }
    const { body } = await hooked(replacing({ model: 'x' }), none)
    assert.equal(textOf(body), '{"model":"x"}')
  })

  test('headers are added', async () => {
    const { headers, body } = await hooked((request) => void Object.assign(request.headers, { 'x-signature': 'abc' }))
    assert.deepEqual(headers, { 'x-signature': 'abc' })
    assert.equal(textOf(body), sent)
  })

  for (const headers of [
    { 'content-length': '5' },
    { Host: 'x' },
    { 'x a': '1' },
    { 'x-a': 'a\nb' },
    { 'x-a': undefined },
  ]) {
    test(`headers that cannot be sent are an error: ${JSON.stringify(headers)}`, async () => {
      const hook = (request: HookedRequest) => void Object.assign(request.headers, headers)
      await assert.rejects(hooked(hook), { name: 'TypeError', message: /onRequest gave a header that cannot go/ })
    })
  }

  test('a body that cannot be JSON is an error of the app', async () => {
    const circular: Record<string, unknown> = {}
    circular.self = circular
    await assert.rejects(hooked(replacing(circular)), TypeError)
    await assert.rejects(hooked(replacing({ n: 1n })), TypeError)
  })
})

describe('the app’s answer', () => {
  const type = { 'content-type': 'application/json; charset=utf-8' }
  const answers: [answer: HookAnswer, finished: object][] = [
    [{}, { status: 200, headers: { 'content-length': '0' }, content: undefined }],
    [
      { status: 201, body: 'x' },
      { status: 201, headers: { 'content-length': '1' }, content: 'x' },
    ],
    [{ headers: { 'x-a': 'b' } }, { status: 200, headers: { 'x-a': 'b', 'content-length': '0' }, content: undefined }],
    [{ body: null }, { status: 200, headers: { ...type, 'content-length': '4' }, content: 'null' }],
    [
      { status: 204, body: 'x' },
      { status: 204, headers: {}, content: undefined },
    ],
    [
      { status: 205, body: 'x' },
      { status: 205, headers: { 'content-length': '0' }, content: undefined },
    ],
    [
      { headers: { 'x-a': undefined, 'x-b': 'b' } },
      { status: 200, headers: { 'x-b': 'b', 'content-length': '0' }, content: undefined },
    ],
    [
      { body: new Uint8Array([0, 104, 105]).subarray(1) },
      { status: 200, headers: { 'content-length': '2' }, content: Buffer.from('hi') },
    ],
  ]
  for (const [answer, finished] of answers) {
    test(`is sent as returned: ${JSON.stringify(answer)}`, async () => {
      assert.deepEqual((await hooked(() => answer)).answer, finished)
      assert.deepEqual((await hooked(async () => answer)).answer, finished)
    })
  }

  const unusable: [what: string, answer: object, message: RegExp][] = [
    ['headers of fetch', { headers: new Headers({ 'x-a': 'b' }) }, /must set headers as a plain object/],
    ['headers in a Map', { headers: new Map([['x-a', 'b']]) }, /must set headers as a plain object/],
    ['a header that is an object', { headers: { 'x-a': {} } }, /a header that HTTP forbids: x-a/],
    ['a header with an object among its values', { headers: { 'x-a': ['b', {}] } }, /a header that HTTP forbids: x-a/],
    ['a Blob as its body', { body: new Blob(['x']) }, /a body that cannot be sent: a Blob/],
    ['a stream as its body', { body: new Response('x').body }, /a body that cannot be sent: a ReadableStream/],
    ['a function as its body', { body: () => {} }, /a body that cannot be written as JSON/],
    ['a member of another name', { stauts: 403 }, /not with `stauts`\. Did you mean `status`\?$/],
    ["Node's name for the status", { statusCode: 403 }, /not with `statusCode`\. Did you mean `status`\?$/],
    ['a member that means nothing', { reason: 'x' }, /not with `reason`$/],
    ['a promise as its body', { body: Promise.resolve('x') }, /a body that cannot be sent: a Promise/],
  ]
  for (const [what, answer, message] of unusable) {
    test(`must not have ${what}`, () =>
      assert.rejects(
        hooked(async () => answer),
        { name: 'TypeError', message },
      ))
  }

  for (const nonsense of [
    null,
    true,
    'Hello',
    404,
    [],
    () => {},
    new Response('x'),
    Buffer.from('x'),
    new Date(),
    new Map(),
    new Error('x'),
    Object.assign(new Error('x'), { status: 403 }),
  ]) {
    test(`must not be ${inspect(nonsense, { depth: -1 })}`, async () => {
      await assert.rejects(
        hooked(async () => nonsense),
        {
          name: 'TypeError',
          message: /^onRequest must return nothing, or \{ status, headers, body \}; got (?:an? \w+|null)$/,
        },
      )
    })
  }
})

test('an answer must not be the request, whose headers are for the provider', async () => {
  const message = 'onRequest returned what it was given, which is no answer: change that, and return nothing'
  await assert.rejects(
    hooked((request) => request),
    { name: 'TypeError', message },
  )
  await assert.rejects(
    hooked((request) => ({ ...request })),
    { name: 'TypeError', message: /not with `format`/ },
  )
})

test("an answer may be an instance of the app's own class", async () => {
  class Refusal {
    status = 402
    get body(): object {
      return { error: 'Pay first' }
    }
  }
  const { answer } = await hooked(async () => new Refusal())
  assert.deepEqual([answer?.status, answer?.content], [402, '{"error":"Pay first"}'])
})

describe('an exception in a hook', () => {
  const refused = (thrown: unknown) =>
    hooked(() => {
      throw thrown
    }).then(
      () => assert.fail('nothing was thrown'),
      (error: unknown) => error,
    )

  for (const [name, thrown, status, message] of [
    ['a status', { status: 402, message: 'Pay first' }, 402, 'Pay first'],
    ['a statusCode', { statusCode: 429, message: 'Slow down' }, 429, 'Slow down'],
    ['both', { status: 401, statusCode: 500, message: 'Who?' }, 401, 'Who?'],
    ['an Error with a status', Object.assign(new Error('No'), { status: 403 }), 403, 'No'],
    [
      'a message that must not be shown',
      { status: 403, message: 'secret', expose: false },
      403,
      'The request was refused',
    ],
    ['a status of 500 and more', { status: 503, message: 'db at 10.0.0.1' }, 503, 'The request was refused'],
    ['one that may be shown', { status: 503, message: 'Come back', expose: true }, 503, 'Come back'],
    ['no message', { status: 403 }, 403, 'The request was refused'],
    ['an empty message', { status: 403, message: '' }, 403, 'The request was refused'],
    ['the lowest status', { status: 400, message: 'x' }, 400, 'x'],
    ['the highest status', { status: 599, message: 'x', expose: true }, 599, 'x'],
  ] as const) {
    test(`with ${name} is the answer`, async () => {
      const error = await refused(thrown)
      assert.ok(error instanceof AiProxyError)
      const { code, outcome, cause } = error
      assert.deepEqual([error.status, error.message, code, outcome], [status, message, 'request_refused', 'rejected'])
      assert.equal(cause, thrown)
    })
  }

  for (const thrown of [
    new Error('plain'),
    new AiProxyError('model_not_allowed', 'x'),
    { status: 399 },
    { status: 600 },
    { status: 200, statusCode: 404 },
    { status: '403' },
    'text',
    403,
    undefined,
    null,
  ]) {
    test(`is rethrown otherwise: ${String(thrown)} ${JSON.stringify(thrown)}`, async () => {
      assert.equal(await refused(thrown), thrown)
    })
  }

  test('is rethrown if its status is not an HTTP status', async () => {
    for (const status of [Number.NaN, 404.5]) {
      const thrown = { status, message: 'x' }
      assert.equal(await refused(thrown), thrown)
    }
  })
})
