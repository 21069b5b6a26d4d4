import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { setImmediate as nextRound } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { AiProxyOptions, ExchangeRecord, OnResponse } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { assertLeft } from './support/disconnect.js'
import { openai } from './support/protocols.js'
import { type Call, type Owner, startProvider } from './support/provider.js'
import { Queue, within } from './support/waiting.js'

const { path, request, events, terminator } = openai
const whole = [...events, terminator].join('')
const plain = { model: 'm', messages: [] }

/** Sends a request through a hook to a provider that answers like this. */
async function through(
  t: Owner,
  onResponse: OnResponse,
  answer: (call: Call) => unknown,
  { body = request, ...options }: Partial<AiProxyOptions> & { body?: object } = {},
) {
  const errors: unknown[] = []
  const provider = await startProvider(t, { onCall: answer })
  const onError = (error: unknown) => void errors.push(error)
  const app = await startApp(t, { target: provider.url, onResponse, onError, ...options })
  const response = await within(post(app.url + path, body), 'the answer')
  const text = await response.text()
  return { provider, app, errors, response, text, record: await app.record() }
}

const streaming = (call: Call) => call.sse(events, { 'x-request-count': '1', 'x-ratelimit-limit': '9' }).end(terminator)
const silent = () => new Promise<never>(() => {})

describe('onResponse', () => {
  for (const isAsync of [false, true]) {
    const hookOf = (hook: OnResponse): OnResponse => (isAsync ? async (...given) => hook(...given) : hook)

    test(`sees and changes the head of a stream, ${isAsync ? 'async' : 'sync'}`, async (t) => {
      const seen: unknown[] = []
      const hook = hookOf((response, { model, stream }) => {
        seen.push([response.status, response.headers['x-ratelimit-limit'], model, stream])
        response.status = 203
        response.headers['x-app'] = 'yes'
        response.headers['x-list'] = ['a', 'b']
        delete response.headers['x-ratelimit-limit']
      })
      const { response, text, record } = await through(t, hook, streaming)
      assert.deepEqual(seen, [[200, '9', 'gpt-test', true]])
      assert.equal(response.status, 203)
      assert.equal(response.headers.get('x-app'), 'yes')
      assert.equal(response.headers.get('x-list'), 'a, b')
      assert.equal(response.headers.get('x-ratelimit-limit'), null)
      assert.equal(text, whole)
      assert.deepEqual([record.outcome, record.status, record.providerStatus], ['completed', 203, 200])
    })

    test(`answers in the provider’s place, ${isAsync ? 'async' : 'sync'}; the provider’s body is not read`, async (t) => {
      const calls: Call[] = []
      const hook = hookOf(() => ({
        status: 503,
        headers: { 'retry-after': '9' },
        body: { error: { message: 'later' } },
      }))
      const { response, text, record } = await through(t, hook, (call) => {
        calls.push(call)
        call.sse(events)
      })
      assert.equal(response.status, 503)
      assert.equal(response.headers.get('retry-after'), '9')
      assert.equal(text, '{"error":{"message":"later"}}')
      await calls[0]!.gone
      const { outcome, status, providerStatus, upstreamBytes } = record
      assert.deepEqual([outcome, status, providerStatus, upstreamBytes], ['completed', 503, 200, 0])
    })
  }

  test('is called for the provider’s errors, and can change their status', async (t) => {
    const hook: OnResponse = (response) => {
      if (response.status === 529) response.status = 503
    }
    const answer = (call: Call) => call.json(529, { error: { message: 'overloaded' } })
    const { response, text, record } = await through(t, hook, answer)
    assert.equal(response.status, 503)
    assert.equal(text, '{"error":{"message":"overloaded"}}')
    assert.deepEqual([record.outcome, record.providerStatus], ['provider_error', 529])
  })

  describe('what the app makes of the head does not change how the body is read', () => {
    const withUsage = {
      choices: [{ index: 0, message: { role: 'assistant', content: 'a' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
    }
    const usageEvent = `data: ${JSON.stringify({ choices: [], usage: withUsage.usage })}\n\n`
    const becomes =
      (status: number): OnResponse =>
      (response) => {
        response.status = status
      }
    /** A body without a label. */
    const unlabelled = (body: string) => (call: Call) => call.res.writeHead(200).end(body)

    for (const onAnswer of [undefined, () => undefined]) {
      const name = onAnswer ? ', with onAnswer' : ''

      test(`an answer is measured if its status becomes 503${name}`, async (t) => {
        const answer = (call: Call) => call.json(200, withUsage)
        const { response, record } = await through(t, becomes(503), answer, { body: plain, onAnswer })
        const { outcome, usage } = record
        assert.deepEqual([response.status, outcome, usage?.inputTokens, usage?.outputTokens], [503, 'completed', 3, 5])
      })

      test(`an error stays the provider’s if its status becomes 200${name}`, async (t) => {
        const answer = (call: Call) => call.json(500, { error: { message: 'broken' } })
        const { response, record } = await through(t, becomes(200), answer, { body: plain, onAnswer })
        assert.deepEqual([response.status, record.outcome, record.providerStatus], [200, 'provider_error', 500])
      })

      test(`an error becomes an error event if its status becomes 200${name}`, async (t) => {
        const answer = (call: Call) => call.json(500, { error: { message: 'broken' } })
        const options = { heartbeat: { beforeFirstByte: true }, onAnswer }
        const { text, record } = await through(t, becomes(200), answer, options)
        assert.match(text, /data: \{"error":\{"message":"broken"/)
        assert.deepEqual([record.outcome, record.providerStatus], ['provider_error', 500])
      })
    }

    for (const [name, hook] of Object.entries<OnResponse>({
      'if its status becomes 503': becomes(503),
      'if it gets the label of another framing': ({ headers }) => {
        headers['content-type'] = 'application/x-ndjson'
      },
      'if it gets the label of an image': ({ headers }) => {
        headers['content-type'] = 'image/png'
      },
    })) {
      test(`a stream without a label is read, and our usage event left out, ${name}`, async (t) => {
        const answer = unlabelled(events.join('') + usageEvent + terminator)
        const { text, record } = await through(t, hook, answer)
        assert.equal(text, whole)
        const { outcome, usage } = record
        assert.deepEqual([outcome, usage?.inputTokens, usage?.outputTokens], ['completed', 3, 5])
      })
    }
  })

  test('is not called for answers of the middleware or the app', async (t) => {
    const hook: OnResponse = () => assert.fail('nobody has answered')
    const { response } = await through(t, hook, streaming, { onRequest: () => ({ status: 418 }) })
    assert.equal(response.status, 418)
    const refused = await through(t, hook, streaming, { models: ['other'] })
    assert.equal(refused.response.status, 403)
  })

  test('leaves out headers that it sets to null or undefined', async (t) => {
    const hook: OnResponse = ({ headers }) =>
      void Object.assign(headers, { 'x-null': null, 'x-nothing': undefined, 'x-a': ['b', 'c'] })
    const { response } = await through(t, hook, streaming)
    assert.equal(response.headers.get('x-null'), null)
    assert.equal(response.headers.get('x-nothing'), null)
    assert.equal(response.headers.get('x-a'), 'b, c')
  })

  test('cannot change message framing or the encoding of the body', async (t) => {
    const hook: OnResponse = ({ headers }) => {
      Object.assign(headers, {
        'content-length': '1',
        'Transfer-Encoding': 'gzip',
        connection: 'x',
        'content-encoding': 'br',
      })
    }
    const body = JSON.stringify({ id: 'a', choices: [] })
    const { response, text } = await through(t, hook, (call) => call.json(200, JSON.parse(body)), { body: plain })
    assert.equal(text, body)
    assert.equal(response.headers.get('content-length'), String(body.length))
    assert.equal(response.headers.get('content-encoding'), null)
    assert.equal(response.headers.get('transfer-encoding'), null)
  })

  test('cannot turn the provider’s body into an HTML page', async (t) => {
    const hook: OnResponse = ({ headers }) => void Object.assign(headers, { 'content-type': 'text/html' })
    const { response } = await through(t, hook, (call) => call.json(400, {}), { body: plain })
    assert.match(response.headers.get('content-type')!, /^text\/plain/)
    assert.equal(response.headers.get('content-security-policy'), 'sandbox')
  })

  test('answers with an error that it throws with a status, which is not reported', async (t) => {
    const hook: OnResponse = () => {
      throw Object.assign(new Error('Not in your country'), { status: 451 })
    }
    const { response, text, errors, record } = await through(t, hook, streaming)
    assert.equal(response.status, 451)
    assert.equal(openai.errorIn(JSON.parse(text)).message, 'Not in your country')
    assert.deepEqual(errors, [])
    assert.equal(record.code, 'request_refused')
  })

  const faults: readonly [string, OnResponse][] = [
    ['throws', () => assert.fail('a fault')],
    ['rejects', async () => assert.fail('a fault')],
    ['sets an invalid status', (response) => void Object.assign(response, { status: 99 })],
    ['sets status 204 on a stream', (response) => void Object.assign(response, { status: 204 })],
    ['sets a status below 200', (response) => void Object.assign(response, { status: 199 })],
    ['sets a header that HTTP forbids', ({ headers }) => void Object.assign(headers, { 'x-a': 'a\nb' })],
    ['sets a header that is not a string', ({ headers }) => void Object.assign(headers, { 'x-a': Symbol('x') })],
    ['sets a header that is an object', ({ headers }) => void Object.assign(headers, { 'x-a': {} })],
    [
      'sets headers of fetch',
      (response) => void Object.assign(response, { headers: new Headers(response.headers as never) }),
    ],
    ['sets headers in a Map', (response) => void Object.assign(response, { headers: new Map() })],
    ['answers with a response of fetch', () => new Response('x') as never],
    ['removes the headers', (response) => void Object.assign(response, { headers: null })],
    ['returns an invalid answer', () => 'x' as never],
    ['returns the response that it was given', (response) => response as never],
  ]
  for (const [what, hook] of faults) {
    test(`${what}: 500, and onError is called`, async (t) => {
      const { response, errors, record, provider } = await through(t, hook, streaming)
      assert.equal(response.status, 500)
      assert.equal(errors.length, 1)
      assert.equal(record.code, 'internal_error')
      await within(
        Promise.all(provider.connections.map((each) => each.destroyed || once(each, 'close'))),
        'the provider',
      )
    })
  }

  for (const onClientDisconnect of ['abort', 'drain'] as const) {
    test(`ends with the exchange if the client leaves meanwhile (${onClientDisconnect})`, async (t) => {
      const asked = new Queue<AbortSignal>('the hook')
      const provider = await startProvider(t, { onCall: streaming })
      const app = await startApp(t, {
        target: provider.url,
        onClientDisconnect,
        onResponse: async (_response, { signal }) => {
          asked.push(signal)
          await once(signal, 'abort')
        },
      })
      const client = (await connect(t, app.port)).post(`/ai${path}`, request)
      await asked.next()
      client.leave()
      const { upstreamBytes } = await assertLeft(app)
      assert.equal(upstreamBytes, onClientDisconnect === 'drain' ? whole.length : 0)
    })
  }

  test('has its answer discarded if the client has left', async (t) => {
    const asked = new Queue<Call>('the provider')
    const provider = await startProvider(t, { onCall: (call) => void asked.push(call.sse(events)) })
    const app = await startApp(t, {
      target: provider.url,
      onClientDisconnect: 'drain',
      onResponse: async (_response, { signal }) => {
        await once(signal, 'abort')
        return { body: 'late' }
      },
    })
    const client = (await connect(t, app.port)).post(`/ai${path}`, request)
    const call = await asked.next()
    client.leave()
    await call.gone
    await assertLeft(app, { upstreamBytes: 0 })
  })

  for (const headers of [{}, { 'content-encoding': 'gzip' }]) {
    test(`delivers the bytes received if the provider breaks off meanwhile, ${JSON.stringify(headers)}`, async (t) => {
      const asked = new Queue<() => void>('the hook')
      const calls = new Queue<Call>('the provider')
      const bytes = 'content-encoding' in headers ? gzipSync(events[0]) : events[0]
      const provider = await startProvider(t, { onCall: (call) => void calls.push(call.sse([], headers).send(bytes)) })
      const app = await startApp(t, {
        target: provider.url,
        onResponse: () => new Promise<void>((resolve) => asked.push(resolve)),
      })
      const answer = post(app.url + path, request)
      const call = await calls.next()
      const resolve = await asked.next()
      const broken = once(call.socket, 'close')
      call.socket.end()
      call.socket.destroySoon()
      await within(broken, 'the connection')
      resolve()
      const text = await within(
        answer.then((response) => response.text()),
        'the answer',
      )
      assert.ok(text.startsWith(events[0]))
      assert.equal((await app.record()).outcome, 'upstream_error')
    })
  }

  test('delivers the status and the bytes received of an answer that is no stream, if the provider breaks off meanwhile', async (t) => {
    const asked = new Queue<() => void>('the hook')
    const calls = new Queue<Call>('the provider')
    const provider = await startProvider(t, {
      onCall: (call) => {
        call.res.writeHead(404, { 'content-type': 'application/json', 'content-length': 100 }).write('{"error":')
        calls.push(call)
      },
    })
    const app = await startApp(t, {
      target: provider.url,
      onResponse: () => new Promise<void>((resolve) => asked.push(resolve)),
    })
    const client = (await connect(t, app.port)).post(`/ai${path}`, request)
    const call = await calls.next()
    const resolve = await asked.next()
    const broken = once(call.socket, 'close')
    call.socket.destroySoon()
    await within(broken, 'the connection')
    // The proxy notices it later than the provider.
    for (let round = 0; round < 20; round++) await nextRound()
    resolve()
    await client.sees('404 Not Found')
    await client.sees('{"error":')
    assert.equal((await app.record()).code, 'upstream_reset')
  })

  test('is not awaited without bound', async (t) => {
    const limits = { firstByteTimeoutMs: 50 }
    const { response, record } = await through(t, silent, streaming, { limits })
    assert.equal(response.status, 504)
    assert.equal(record.code, 'first_byte_timeout')
  })

  describe('after heartbeat.beforeFirstByte', () => {
    const heartbeat = { beforeFirstByte: true }

    test('it cannot change status and headers, which have been sent', async (t) => {
      const hook: OnResponse = (response) => {
        response.status = 500
        response.headers['x-late'] = 'yes'
      }
      const { response, text } = await through(t, hook, streaming, { heartbeat })
      assert.equal(response.status, 200)
      assert.equal(response.headers.get('x-late'), null)
      assert.ok(text.endsWith(whole))
    })

    test('its answer goes out as an event', async (t) => {
      const hook: OnResponse = () => ({ body: { id: 'ours' } })
      const { text, record } = await through(t, hook, streaming, { heartbeat })
      assert.match(text, /^:[^\n]*\n\ndata: \{"id":"ours"\}\n\n$/)
      assert.equal(record.outcome, 'completed')
    })

    test('its error goes out as an error event', async (t) => {
      const hook: OnResponse = () => ({ status: 402, body: 'no money' })
      const { text } = await through(t, hook, streaming, { heartbeat })
      assert.match(text, /"error":/)
    })
  })

  test('leaves nothing of the exchange behind', async (t) => {
    const records: ExchangeRecord[] = []
    const { app } = await through(t, async () => {}, streaming, { onFinish: (record) => void records.push(record) })
    assert.deepEqual(app.proxy.exchanges(), [])
    assert.equal(records.length, 1)
    assert.equal(app.proxy.stats().active, 0)
  })
})
