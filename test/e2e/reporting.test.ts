import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { format, inspect } from 'node:util'
import createDebug from 'debug'
import type { ErrorRequestHandler, Express } from 'express'
import { AiProxyError, type ExchangeRecord } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { Events, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'

/** An app whose error handler notes what it gets. */
function handling(seen: unknown[]) {
  const handler: ErrorRequestHandler = (error, req, res, _next) => {
    seen.push(error)
    res.status(error.status).json({ mine: error.code, at: req.originalUrl })
  }
  return { after: (app: Express) => void app.use(handler) }
}

describe("errors: 'next'", () => {
  const cases = {
    request_too_large: { status: 413, limits: { maxRequestBytes: 5 } },
    too_many_streams: { status: 503, limits: { maxConcurrentStreams: 1 } },
    first_byte_timeout: { status: 504, limits: { firstByteTimeoutMs: 20 } },
    upstream_reset: { status: 502, limits: {} },
  }
  for (const [code, { status, limits }] of Object.entries(cases)) {
    test(`${code} goes to the app's error handler`, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => code === 'upstream_reset' && call.reset() })
      const seen: unknown[] = []
      const app = await startApp(t, { target: provider.url, errors: 'next', limits }, handling(seen))
      if (code === 'too_many_streams') void post(app.url + openai.path, openai.request).catch(() => {})
      if (code === 'too_many_streams') await provider.next()
      const response = await post(app.url + openai.path, openai.request)
      assert.equal(response.status, status)
      assert.deepEqual(await response.json(), { mine: code, at: `/ai${openai.path}` })
      assert.ok(seen[0] instanceof AiProxyError)
      assert.equal(seen[0].code, code)
      assert.equal(seen[0].status, status)
      const record = await app.record()
      assert.equal(record.code, code)
      assert.equal(record.status, status)
    })
  }

  test("Express's own error handler uses the status and the headers", async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, errors: 'next', limits: { maxConcurrentStreams: 1 } })
    void post(app.url + openai.path, openai.request).catch(() => {})
    await provider.next()
    const response = await post(app.url + openai.path, openai.request)
    assert.equal(response.status, 503)
    assert.equal(response.headers.get('retry-after'), '1')
    assert.match(await response.text(), /Too many concurrent streams/)
    assert.equal((await app.record()).code, 'too_many_streams')
  })

  test('the error about an answer that is not HTTP contains no byte of the connection', async (t) => {
    const debugged: string[] = []
    t.mock.method(createDebug, 'log', (...args: unknown[]) => debugged.push(format(...args)))
    createDebug.enable('ai-proxy:*')
    t.after(() => createDebug.disable())
    const provider = await startProvider(t, { onCall: (call) => call.raw('sk-of-another-tenant\r\n\r\n') })
    const seen: unknown[] = []
    const app = await startApp(t, { target: provider.url, errors: 'next' }, handling(seen))
    const response = await post(app.url + openai.path, openai.request)
    assert.equal(response.status, 502)
    const record = await app.record()
    assert.equal(record.code, 'upstream_reset')
    assert.match(record.error ?? '', /Parse Error/)
    assert.match(debugged.join('\n'), /Parse Error/)
    const [failure] = seen
    assert.ok(failure instanceof AiProxyError)
    assert.match((failure.cause as NodeJS.ErrnoException).code ?? '', /^HPE_/)
    const all = { failure, record, debugged, body: await response.text() }
    assert.doesNotMatch(inspect(all, { depth: null, showHidden: true }), /sk-of-another-tenant|<Buffer/)
  })

  test('a failure in a running stream still becomes an error event', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.sse(['data: 1\n\n']) })
    const app = await startApp(t, { target: provider.url, errors: 'next', limits: { idleTimeoutMs: 20 } })
    const events = await new Events(await post(app.url + openai.path, openai.request)).rest()
    assert.equal(openai.errorInEvent(events[1]).code, 'idle_timeout')
  })
})

describe('onFinish', () => {
  const throwing = {
    'that throws': () => {
      throw new Error('of the app')
    },
    'that rejects': () => Promise.reject(new Error('of the app')),
    'that throws undefined': () => {
      throw undefined
    },
  }
  for (const [what, onFinish] of Object.entries(throwing)) {
    test(`a function ${what} has no effect`, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
      const app = await startApp(t, { target: provider.url, onFinish })
      for (const _ of [1, 2]) assert.equal((await post(app.url + openai.path, { model: 'm' })).status, 200)
      await app.record()
      await app.record()
      assert.equal(app.proxy.exchanges().length, 0)
      assert.equal(app.proxy.stats().outcomes.completed, 2)
    })
  }

  test('gets the record, the request and the response of its exchange, once', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const told: [ExchangeRecord, string, number][] = []
    const app = await startApp(t, {
      target: provider.url,
      onFinish: (record, { req, res }) => void told.push([record, req.originalUrl, res.statusCode]),
    })
    const before = Date.now()
    await (await post(`${app.url}${openai.path}?key=secret`, { model: 'm' })).text()
    await app.record()
    await (await post(`${app.url}/v1/files`, {})).text()
    await app.record()
    assert.deepEqual(
      told.map(([, url, status]) => [url, status]),
      [
        [`/ai${openai.path}?key=secret`, 200],
        ['/ai/v1/files', 404],
      ],
    )
    const [record, other] = [told[0]![0], told[1]![0]]
    assert.notEqual(record.id, other.id)
    assert.equal(record.path, openai.path)
    assert.ok(!JSON.stringify(record).includes('secret'))
    assert.ok(record.startedAt >= before && record.startedAt <= Date.now())
    assert.ok(record.durationMs >= record.firstByteMs! && record.firstByteMs! > 0)
    assert.ok(record.busyMs >= record.maxTurnMs && record.maxTurnMs > 0)
    assert.equal(other.firstByteMs, undefined)
  })
})

describe('exchanges and stats()', () => {
  test('an exchange is listed while in progress, and counted afterwards', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const answer = post(app.url + openai.path, openai.request)
    const call = await provider.next()
    const [waiting] = app.proxy.exchanges()
    assert.equal(waiting?.phase, 'waiting')
    assert.equal(waiting.model, openai.request.model)
    assert.equal(waiting.bytes, 0)
    call.sse(['data: 1\n\n'])
    const events = new Events(await answer)
    await events.next()
    const [streaming] = app.proxy.exchanges()
    assert.equal(streaming?.phase, 'streaming')
    assert.equal(streaming.id, waiting.id)
    assert.equal(streaming.bytes, 9)
    assert.ok(streaming.age > waiting.age)
    assert.deepEqual([app.proxy.stats().active, app.proxy.stats().streams], [1, 1])
    call.end()
    await events.next()
    const record = await app.record()
    assert.equal(record.id, waiting.id)
    assert.deepEqual(app.proxy.exchanges(), [])
    const stats = app.proxy.stats()
    assert.deepEqual([stats.exchanges, stats.active, stats.streams, stats.outcomes.completed], [1, 0, 0, 1])
    for (const sum of ['events', 'turns', 'requestBytes', 'upstreamBytes', 'downstreamBytes', 'busyMs'] as const) {
      assert.equal(stats[sum], record[sum])
    }
  })
})
