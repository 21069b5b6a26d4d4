import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions, ExchangeRecord } from '../../lib/index.js'
import { freePort } from '../support/free-port.js'
import { type App, startApp } from './support/app.js'
import { connect, Events, post } from './support/client.js'
import { anthropic, openai, type Protocol, protocols } from './support/protocols.js'
import { type Call, type Owner, type Provider, startProvider } from './support/provider.js'
import { until, within } from './support/waiting.js'

interface Ending {
  readonly name: string
  readonly options?: Partial<AiProxyOptions>
  /** What the provider does. */
  readonly act?: (call: Call, protocol: Protocol) => unknown
  readonly expected: Partial<ExchangeRecord>
}

const limits = (limits: AiProxyOptions['limits']) => ({ limits })
const exceeded = (limit: ExchangeRecord['limit'], code: ExchangeRecord['code']) =>
  ({ outcome: 'limit_exceeded', limit, code }) as const
const broken = { outcome: 'upstream_error', limit: undefined, code: 'upstream_reset' } as const

const beforeTheFirstByte: (Ending & { status: number; type: { openai: string; anthropic: string } })[] = [
  {
    name: 'request too large',
    options: limits({ maxRequestBytes: 20 }),
    expected: exceeded('maxRequestBytes', 'request_too_large'),
    status: 413,
    type: { openai: 'invalid_request_error', anthropic: 'request_too_large' },
  },
  {
    name: 'no first byte in time',
    options: limits({ firstByteTimeoutMs: 300 }),
    act: () => {},
    expected: exceeded('firstByteTimeoutMs', 'first_byte_timeout'),
    status: 504,
    type: { openai: 'server_error', anthropic: 'timeout_error' },
  },
  {
    name: 'an answer whose content-length is too large',
    options: limits({ maxResponseBytes: 10 }),
    act: (call) => call.json(200, { text: 'more than ten bytes' }, { 'content-length': '30' }),
    expected: exceeded('maxResponseBytes', 'response_too_large'),
    status: 502,
    type: { openai: 'server_error', anthropic: 'api_error' },
  },
  {
    name: 'a reset before the head',
    act: (call) => call.reset(),
    expected: broken,
    status: 502,
    type: { openai: 'server_error', anthropic: 'api_error' },
  },
  {
    name: 'a connection that closes before the head',
    act: (call) => call.socket.end(),
    expected: broken,
    status: 502,
    type: { openai: 'server_error', anthropic: 'api_error' },
  },
  {
    name: 'an answer that is not HTTP',
    act: (call) => call.raw('SSH-2.0-OpenSSH_9\r\n\r\n'),
    expected: broken,
    status: 502,
    type: { openai: 'server_error', anthropic: 'api_error' },
  },
  {
    name: 'silence behind the head of an answer that is no stream',
    options: limits({ idleTimeoutMs: 30 }),
    act: (call) => call.res.writeHead(200, { 'content-type': 'application/json' }).flushHeaders(),
    expected: exceeded('idleTimeoutMs', 'idle_timeout'),
    status: 504,
    type: { openai: 'server_error', anthropic: 'timeout_error' },
  },
]

const inTheStream: Ending[] = [
  {
    name: 'silence',
    options: limits({ idleTimeoutMs: 30 }),
    act: (call, { events }) => call.sse(events.slice(0, 2)),
    expected: exceeded('idleTimeoutMs', 'idle_timeout'),
  },
  {
    name: 'a stream that takes too long, though never silent',
    options: { ...limits({ maxStreamDurationMs: 40, idleTimeoutMs: 5000 }), heartbeat: false },
    act: (call, { events }) => call.sse(events.slice(0, 2)),
    expected: exceeded('maxStreamDurationMs', 'stream_too_long'),
  },
  {
    name: 'too many bytes, in small events',
    options: limits({ maxResponseBytes: 2000 }),
    act: (call, { events }) => call.sse([...events.slice(0, 2), ...Array(100).fill(events[1])]),
    expected: exceeded('maxResponseBytes', 'response_too_large'),
  },
  {
    name: 'an event too large, complete',
    options: limits({ maxEventBytes: 1000 }),
    act: (call, { events }) => call.sse([...events.slice(0, 2), `data: ${'x'.repeat(1000)}\n\n`]),
    expected: exceeded('maxEventBytes', 'event_too_large'),
  },
  {
    name: 'an event too large, without an end',
    options: limits({ maxEventBytes: 1000 }),
    act: (call, { events }) => call.sse([...events.slice(0, 2), `data: ${'x'.repeat(1000)}`]),
    expected: exceeded('maxEventBytes', 'event_too_large'),
  },
  {
    name: 'a reset in the middle of an event',
    act: async (call, { events }) => {
      call.sse([...events.slice(0, 2)])
      call.res.write('data: {"half":', () => call.reset())
    },
    expected: broken,
  },
  {
    name: 'a connection that closes in the middle of a chunk',
    act: (call, { events }) => {
      const text = events.slice(0, 2).join('')
      call.raw('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n')
      call.raw(`${text.length.toString(16)}\r\n${text}\r\nff\r\ndata: half`).socket.end()
    },
    expected: broken,
  },
  {
    name: 'chunks that are none',
    act: (call, { events }) => {
      const text = events.slice(0, 2).join('')
      call.raw('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n')
      call.raw(`${text.length.toString(16)}\r\n${text}\r\nno chunk at all\r\n`)
    },
    expected: broken,
  },
]

async function start(
  t: Owner,
  { options, act }: Ending,
  protocol: Protocol,
): Promise<{ provider: Provider; app: App }> {
  const provider = await startProvider(t, { onCall: (call) => act?.(call, protocol) })
  return { provider, app: await startApp(t, { target: provider.url, ...options }) }
}

function assertRecord(record: ExchangeRecord, expected: Partial<ExchangeRecord>): void {
  assert.deepEqual({ ...record, ...expected }, record)
  assert.ok(record.error, 'a record of a failure has words for it')
}

for (const protocol of protocols) {
  const { path, request, events } = protocol

  describe(`${protocol.name}: before the first byte`, () => {
    for (const ending of beforeTheFirstByte) {
      test(`${ending.name}: ${ending.status} ${ending.expected.code}`, async (t) => {
        const { provider, app } = await start(t, ending, protocol)
        const response = await within(post(app.url + path, request), 'the answer')
        assert.equal(response.status, ending.status)
        assert.equal(response.headers.get('content-type'), 'application/json; charset=utf-8')
        const text = await response.text()
        const error = protocol.errorIn(JSON.parse(text))
        assert.equal(error.code, ending.expected.code)
        assert.equal(error.type, protocol === openai ? ending.type.openai : ending.type.anthropic)
        const record = await app.record()
        assertRecord(record, { ...ending.expected, status: ending.status, events: 0, upstreamBytes: 0 })
        assert.equal(record.downstreamBytes, text.length)
        assert.equal(record.path, path)
        for (const call of provider.calls) await call.gone
        assert.equal(provider.calls.length, ending.act ? 1 : 0)
      })
    }

    test('an unreachable provider: 502', async (t) => {
      const app = await startApp(t, { target: `http://127.0.0.1:${await freePort()}` })
      const response = await post(app.url + path, request)
      assert.equal(response.status, 502)
      assert.equal(protocol.errorIn(await response.json()).code, 'upstream_unreachable')
      assertRecord(await app.record(), { outcome: 'upstream_error', code: 'upstream_unreachable', status: 502 })
    })

    test('a body that is not JSON, or whose compressed data breaks off: 400', async (t) => {
      const { provider, app } = await start(t, { name: '', expected: {} }, protocol)
      const spoilt: [string, Record<string, string>][] = [
        ['{"model":', {}],
        ['not gzip', { 'content-encoding': 'gzip' }],
      ]
      for (const [body, headers] of spoilt) {
        const response = await post(app.url + path, undefined, { body, headers })
        assert.equal(response.status, 400)
        assert.equal(protocol.errorIn(await response.json()).code, 'invalid_request')
        assertRecord(await app.record(), { outcome: 'rejected', code: 'invalid_request', status: 400 })
      }
      assert.equal(provider.calls.length, 0)
    })

    test('a body that must be read but has an unknown content-encoding: 415', async (t) => {
      const ending = { name: '', expected: {}, options: { models: ['m'] } }
      const { provider, app } = await start(t, ending, protocol)
      const headers = { 'content-encoding': 'unheard-of' }
      const response = await post(app.url + path, undefined, { body: '{"model":"m"}', headers })
      assert.equal(response.status, 415)
      assert.equal(protocol.errorIn(await response.json()).code, 'unsupported_media_type')
      assertRecord(await app.record(), { outcome: 'rejected', code: 'unsupported_media_type', status: 415 })
      assert.equal(provider.calls.length, 0)
    })

    test('request bodies beyond maxHeldBytes: 503 with Retry-After', async (t) => {
      const { app } = await start(t, { name: '', expected: {}, options: limits({ maxHeldBytes: 20 }) }, protocol)
      const response = await post(app.url + path, request)
      assert.equal(response.status, 503)
      assert.equal(response.headers.get('retry-after'), '1')
      assert.equal(protocol.errorIn(await response.json()).code, 'held_bytes_exceeded')
      assertRecord(await app.record(), { ...exceeded('maxHeldBytes', 'held_bytes_exceeded'), status: 503 })
    })
  })

  describe(`${protocol.name}: within the stream`, () => {
    for (const ending of inTheStream) {
      test(`${ending.name}: ${ending.expected.code}`, async (t) => {
        const { provider, app } = await start(t, ending, protocol)
        const response = await post(app.url + path, request)
        assert.equal(response.status, 200)
        // Resolves only where the response ends as HTTP wants it.
        const received = await new Events(response).rest()
        assert.deepEqual(received.slice(0, 2), events.slice(0, 2))
        assert.equal(protocol.errorInEvent(received.at(-1)).code, ending.expected.code)
        assert.ok(!protocol.isTerminated(received.join('')))
        assert.ok(!received.join('').includes('half'))
        const record = await app.record()
        assertRecord(record, { ...ending.expected, status: 200, events: received.length - 1 })
        assert.equal(record.downstreamBytes, received.join('').length)
        const passed = received.slice(0, -1).join('').length
        assert.ok(record.upstreamBytes >= passed)
        await provider.calls[0]?.gone
      })
    }

    test('the connection is reusable after an error event', async (t) => {
      const ending = { ...inTheStream[0]!, options: limits({ idleTimeoutMs: 20 }) }
      const { app } = await start(t, ending, protocol)
      const client = await connect(t, app.port)
      for (const _ of [1, 2]) {
        client.post(`/ai${path}`, request)
        await client.sees('idle_timeout')
        await client.sees('\r\n0\r\n\r\n')
      }
    })
  })
}

describe('a non-streaming answer that cannot be completed: the connection is cut', () => {
  const json = { 'content-type': 'application/json' }
  const cases: Ending[] = [
    {
      name: 'reset',
      act: (call) => call.res.writeHead(200, json).write('{"a":', () => call.reset()),
      expected: broken,
    },
    {
      name: 'reset, with a content-length',
      act: (call) => call.res.writeHead(200, { ...json, 'content-length': 99 }).write('{"a":', () => call.reset()),
      expected: broken,
    },
    {
      name: 'too large, without a content-length',
      options: limits({ maxResponseBytes: 10 }),
      act: (call) => call.res.writeHead(200, json).write('{"text":"more than ten bytes"}'),
      expected: exceeded('maxResponseBytes', 'response_too_large'),
    },
    {
      name: 'silent',
      options: limits({ idleTimeoutMs: 30 }),
      act: (call) => call.res.writeHead(200, json).write('{"a":'),
      expected: exceeded('idleTimeoutMs', 'idle_timeout'),
    },
    {
      name: 'takes too long',
      options: limits({ maxStreamDurationMs: 30 }),
      act: (call) => call.res.writeHead(200, json).write('{"a":'),
      expected: exceeded('maxStreamDurationMs', 'stream_too_long'),
    },
  ]
  for (const ending of cases) {
    test(ending.name, async (t) => {
      const { provider, app } = await start(t, ending, openai)
      await assert.rejects(async () => {
        const response = await post(app.url + openai.path, { model: 'm' })
        await response.text()
      }, /terminated|fetch failed/)
      assertRecord(await app.record(), ending.expected)
      await provider.calls[0]?.gone
    })
  }
})

describe("the provider's own errors", () => {
  for (const { name, path, request } of protocols) {
    for (const status of [400, 401, 404, 429, 500, 503, 529]) {
      test(`${name}: ${status} passes unchanged`, async (t) => {
        const provider = await startProvider(t)
        const app = await startApp(t, { target: provider.url })
        const answer = post(app.url + path, request)
        const body = { error: { type: 'of_its_own', message: `status ${status}`, more: [1] } }
        const headers = {
          'retry-after': '7',
          'x-ratelimit-remaining-requests': '0',
          'anthropic-ratelimit-tokens-limit': '5',
        }
        ;(await provider.next()).json(status, body, headers)
        const response = await answer
        assert.equal(response.status, status)
        assert.equal(await response.text(), JSON.stringify(body))
        for (const [header, value] of Object.entries(headers)) assert.equal(response.headers.get(header), value)
        const record = await app.record()
        assert.equal(record.outcome, 'provider_error')
        assert.equal(record.providerStatus, status)
        assert.equal(record.status, status)
        assert.equal(record.code, undefined)
      })
    }
  }
})

describe('maxConcurrentStreams', () => {
  test('one stream too many gets 503 with Retry-After; other requests pass; a freed slot is reused', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { maxConcurrentStreams: 1 } })
    const first = post(app.url + openai.path, openai.request)
    const call = (await provider.next()).sse(['data: 1\n\n'])
    const events = new Events(await first)
    await events.next()
    assert.equal(app.proxy.stats().streams, 1)

    for (const { path, request, errorIn } of protocols) {
      const refused = await post(app.url + path, request)
      assert.equal(refused.status, 503)
      assert.match(refused.headers.get('retry-after') ?? '', /^\d+$/)
      assert.equal(errorIn(await refused.json()).code, 'too_many_streams')
      assertRecord(await app.record(), exceeded('maxConcurrentStreams', 'too_many_streams'))
    }
    const short = post(app.url + openai.path, { model: 'm' })
    ;(await provider.next()).json(200, {})
    assert.equal((await short).status, 200)
    await app.record()

    call.end()
    assert.equal(await events.next(), undefined)
    await app.record()
    const again = post(app.url + openai.path, openai.request)
    ;(await provider.next()).sse().end()
    assert.equal((await again).status, 200)
    await app.record()
    assert.equal(app.proxy.stats().streams, 0)
  })
})

describe('slow_client', () => {
  for (const [what, request] of [
    ['a stream', openai.request],
    ['a non-streaming answer', { model: 'm' }],
  ] as const) {
    test(`${what} that the client does not read: both connections are closed`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, limits: { drainTimeoutMs: 30 } })
      const client = (await connect(t, app.port)).pause().post(`/ai${openai.path}`, request)
      const call = await provider.next()
      call.res.writeHead(200, { 'content-type': 'stream' in request ? 'text/event-stream' : 'application/json' })
      void call.flood(`data: ${'x'.repeat(64_000)}\n\n`)
      const record = await app.record()
      assertRecord(record, { ...exceeded('drainTimeoutMs', 'slow_client'), status: 200 })
      assert.ok(record.downstreamBytes > 0)
      await call.gone
      client.socket.resume()
      assert.ok(!(await client.end()).endsWith('\r\n0\r\n\r\n'))
    })
  }

  test('a client that leaves the last bytes unread hits drainTimeoutMs', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { drainTimeoutMs: 30 } })
    const client = (await connect(t, app.port)).pause().post(`/ai${openai.path}`, openai.request)
    const call = (await provider.next()).sse()
    // One event, larger than what the kernel takes on its way: all of it is written at once, and the provider is done.
    call.end(`data: ${'x'.repeat(7 << 20)}\n\n`)
    assertRecord(await app.record(), exceeded('drainTimeoutMs', 'slow_client'))
    client.socket.resume()
    await client.end()
  })

  test('a client that resumes reading in time gets everything, and idleTimeoutMs does not run meanwhile', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { idleTimeoutMs: 200, drainTimeoutMs: 5000 } })
    const client = (await connect(t, app.port)).pause().post(`/ai${openai.path}`, openai.request)
    const call = (await provider.next()).sse()
    const event = `data: ${'x'.repeat(100_000)}\n\n`
    for (let n = 0; n < 150; n++) call.send(event)
    call.end('data: end\n\n')
    const bytes = () => app.proxy.exchanges()[0]?.bytes
    let before: number | undefined
    do {
      before = bytes()
      // While a silent provider uses up its time, nothing of the first answer may move: only then has it been silent as long.
      const other = post(app.url + openai.path, openai.request)
      ;(await provider.next()).sse()
      await (await other).text()
      assert.equal((await app.record()).code, 'idle_timeout')
    } while (bytes() !== before)
    client.socket.resume()
    // To look into the text while it grows would copy all of it each time.
    await until(() => client.text.length > event.length * 150, 'nearly all has come')
    await until(() => client.text.slice(-100).includes('data: end\n\n'), 'the last event has come')
    const record = await app.record()
    assert.equal(record.outcome, 'completed')
    assert.equal(record.events, 151)
    assert.equal(record.downstreamBytes, event.length * 150 + 'data: end\n\n'.length)
  })
})

test("errors are Anthropic's at count_tokens, and OpenAI's at any other path", async (t) => {
  const app = await startApp(t, { target: 'http://127.0.0.1:9', limits: { maxRequestBytes: 1 } })
  const counted = await post(`${app.url}/v1/messages/count_tokens`, { model: 'm' })
  assert.equal(anthropic.errorIn(await counted.json()).code, 'request_too_large')
  const embedded = await post(`${app.url}/v1/embeddings`, { model: 'm' })
  assert.equal(openai.errorIn(await embedded.json()).code, 'request_too_large')
  const unknown = await post(`${app.url}/v1/unheard-of`, { model: 'm' })
  assert.equal(unknown.status, 404)
  assert.equal(openai.errorIn(await unknown.json()).code, 'endpoint_not_allowed')
})
