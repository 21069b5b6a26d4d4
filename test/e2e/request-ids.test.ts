import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type express from 'express'
import type { Response as ExpressResponse, NextFunction, Request } from 'express'
import { type AiProxyError, type AiProxyOptions, aiProxy, type Format, type Observer } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { anthropic, openai } from './support/protocols.js'
import { type Call, type Owner, startProvider } from './support/provider.js'
import { within } from './support/waiting.js'

const { path, request, events, terminator } = openai
const OWN = 'x-request-id'
const PROVIDERS = 'x-upstream-request-id'

const streaming = (call: Call) => call.sse(events, { [OWN]: 'req_1' }).end(terminator)
const json = (call: Call) => call.json(200, { id: 'x', choices: [] }, { [OWN]: 'req_1' })

interface Given extends Partial<AiProxyOptions> {
  /** Sets headers before the middleware. */
  set?: Record<string, string>
}

/** Sends a request, and returns the ids that the client and the record have. */
async function ids(t: Owner, answer: (call: Call) => unknown, { set = {}, ...options }: Given = {}) {
  const provider = await startProvider(t, { onCall: answer })
  const before = (app: express.Express) => {
    app.use((_req, res, next) => {
      res.set(set)
      next()
    })
  }
  const app = await startApp(t, { target: provider.url, ...options }, { before })
  const response = await within(post(app.url + path, request, { headers: { [OWN]: 'of the client' } }), 'the answer')
  const text = await response.text()
  const record = await app.record()
  return {
    status: response.status,
    own: response.headers.get(OWN),
    providers: response.headers.get(PROVIDERS),
    ...{ response, text, record, provider },
  }
}

describe('every response has the id of its exchange', () => {
  for (const [what, answer] of Object.entries({ 'a stream': streaming, 'a JSON answer': json })) {
    test(`${what}, together with the provider's id, which the record has as well`, async (t) => {
      const { own, providers, record, provider } = await ids(t, answer)
      assert.deepEqual([own, providers, record.providerRequestId], [record.id, 'req_1', 'req_1'])
      assert.equal(provider.calls[0]?.headers[OWN], 'of the client', 'that of the client goes on')
    })
  }

  test("an error of the provider's", async (t) => {
    const { status, own, providers, record } = await ids(t, (call) => call.json(429, { error: {} }, { [OWN]: 'req_1' }))
    assert.deepEqual([status, own, providers], [429, record.id, 'req_1'])
    assert.equal(record.providerRequestId, 'req_1')
  })

  test('a stream that is opened before the provider answers; the record has the provider’s id', async (t) => {
    const { own, providers, record } = await ids(t, streaming, { heartbeat: { beforeFirstByte: true } })
    assert.deepEqual([own, providers, record.providerRequestId], [record.id, null, 'req_1'])
  })

  test('a failure before the provider is asked', async (t) => {
    const { status, own, providers, record } = await ids(t, json, { models: ['other'] })
    assert.deepEqual([status, own, providers], [403, record.id, null])
    assert.equal(record.providerRequestId, undefined)
  })

  test('a failure in place of the provider’s answer, whose id is in the record', async (t) => {
    const large = ({ res }: Call) => res.writeHead(200, { 'content-length': '4', [OWN]: 'req_1' }).end('long')
    const { status, own, record } = await ids(t, large, { limits: { maxResponseBytes: 3 } })
    assert.deepEqual([status, own, record.providerRequestId], [502, record.id, 'req_1'])
  })

  test('an answer to OPTIONS', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    client.request('OPTIONS', `/ai${path}`, {})
    const head = await client.sees('\r\n\r\n')
    assert.ok(head.toLowerCase().includes(`\r\n${OWN}: ${(await app.record()).id}\r\n`), head)
  })

  for (const [hook, options] of Object.entries({
    onRequest: { onRequest: () => ({ body: {} }) },
    onResponse: { onResponse: () => ({ body: {} }) },
    onAnswer: { onAnswer: () => ({ body: {} }) },
    errors: { models: ['other'], errors: () => ({ body: {} }) },
  } satisfies Record<string, Partial<AiProxyOptions>>)) {
    test(`an answer of the app's in ${hook}`, async (t) => {
      const { own, text, record } = await ids(t, json, options)
      assert.deepEqual([own, text], [record.id, '{}'])
    })
  }

  test('the id that a hook answers with counts', async (t) => {
    const { own } = await ids(t, json, { onRequest: () => ({ headers: { 'X-Request-Id': "the hook's" } }) })
    assert.equal(own, "the hook's")
  })
})

describe('the app’s own id stays', () => {
  for (const [what, answer, options] of [
    ['a stream', streaming, {}],
    ['a stream that is opened early', streaming, { heartbeat: { beforeFirstByte: true } }],
    ['a JSON answer', json, {}],
    ['a failure', json, { models: ['other'] }],
    ['an answer of a hook', json, { onRequest: () => ({ body: {} }) }],
  ] satisfies [string, (call: Call) => unknown, Partial<AiProxyOptions>][]) {
    test(what, async (t) => {
      const { own, record } = await ids(t, answer, { ...options, set: { 'X-Request-Id': "the app's" } })
      assert.equal(own, "the app's")
      assert.notEqual(record.id, own)
    })
  }

  test("together with the provider's, unless the app sets that header, too", async (t) => {
    const beside = await ids(t, json, { set: { [OWN]: "the app's" } })
    assert.equal(beside.providers, 'req_1')
    const { own, providers, record } = await ids(t, json, { set: { [PROVIDERS]: 'another' } })
    assert.deepEqual([own, providers, record.providerRequestId], [record.id, 'another', 'req_1'])
  })
})

describe('onResponse', () => {
  test('sees both ids, and may change them', async (t) => {
    const seen: unknown[] = []
    const { own, providers, record } = await ids(t, streaming, {
      onResponse({ headers }) {
        seen.push(headers[OWN], headers[PROVIDERS])
        headers[OWN] = 'changed'
        delete headers[PROVIDERS]
      },
    })
    assert.deepEqual(seen, [record.id, 'req_1'])
    assert.deepEqual([own, providers], ['changed', null])
  })

  test('may remove the id of the exchange', async (t) => {
    const { own, providers } = await ids(t, json, {
      onResponse({ headers }) {
        delete headers[OWN]
      },
    })
    assert.deepEqual([own, providers], [null, 'req_1'])
  })
})

describe("errors: 'next'", () => {
  test('leaves the id on the response that the app sends', async (t) => {
    const provider = await startProvider(t)
    const after = (app: express.Express) => {
      app.use((error: AiProxyError, _req: Request, res: ExpressResponse, _next: NextFunction) => {
        res.status(error.status).json(error.toBody())
      })
    }
    const app = await startApp(t, { target: provider.url, models: ['other'], errors: 'next' }, { after })
    const response = await post(app.url + path, request)
    assert.equal(response.status, 403)
    assert.equal(response.headers.get(OWN), (await app.record()).id)
  })

  test('another middleware that answers instead has its own', async (t) => {
    const fallback = await startProvider(t, { onCall: json })
    const second: string[] = []
    const proxy = aiProxy({ target: fallback.url, onFinish: ({ id }) => void second.push(id) })
    t.after(() => proxy.close({ graceMs: 0 }))
    const after = (app: express.Express) => {
      app.use('/ai', (_error: unknown, req: Request, res: ExpressResponse, next: NextFunction) => proxy(req, res, next))
    }
    const broken = await startProvider(t, { onCall: (call) => call.reset() })
    const app = await startApp(t, { target: broken.url, errors: 'next' }, { after })
    // A GET, because the first middleware has read a body if there was one.
    const response = await fetch(`${app.url}/v1/models`)
    await response.text()
    assert.equal(response.status, 200)
    assert.deepEqual([response.headers.get(OWN)], second)
    assert.notEqual((await app.record()).id, second[0])
  })
})

describe("the provider's id", () => {
  test("Anthropic's stays where its SDK reads it, and is sent under the common name as well", async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}, { 'request-id': 'req_011' }) })
    const app = await startApp(t, { target: provider.url })
    const { headers } = await post(app.url + anthropic.path, anthropic.request)
    const { id, providerRequestId } = await app.record()
    assert.deepEqual(
      [headers.get('request-id'), headers.get(PROVIDERS), headers.get(OWN), providerRequestId],
      ['req_011', 'req_011', id, 'req_011'],
    )
  })

  test('is where a format of the app’s own says', async (t) => {
    const format: Format = { name: 'x-mine', readMessage: () => ({}), requestIdHeaders: ['X-Mine-Id'] }
    const answer = (call: Call) => call.json(200, {}, { 'x-mine-id': 'mine' })
    const { providers, record } = await ids(t, answer, { format, endpoints: 'all' })
    assert.deepEqual([providers, record.providerRequestId], ['mine', 'mine'])
  })

  test('has no key in it', async (t) => {
    const key = 'sk-the-providers-key-1'
    const observed: (string | undefined)[] = []
    const observer: Observer = { onFinish: ({ providerRequestId }) => void observed.push(providerRequestId) }
    const { providers } = await ids(t, (call) => call.json(200, {}, { [OWN]: `for ${key}` }), {
      auth: { headers: { authorization: `Bearer ${key}` } },
      observers: [observer],
    })
    const masked = `for ${'*'.repeat(key.length)}`
    assert.deepEqual([providers, ...observed], [masked, masked])
  })
})
