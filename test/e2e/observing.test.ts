import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyStats, ExchangeRecord, ObservedExchange, Observer } from '../../lib/index.js'
import { ResponseStream } from '../../lib/response/response-stream.js'
import { SourceReader } from '../../lib/response/source-reader.js'
import { OverloadGuard } from '../../lib/scheduling/overload.js'
import { sizeOf } from '../../lib/util/size-of.js'
import { startApp } from './support/app.js'
import { connect, Events, post } from './support/client.js'
import { inPhase } from './support/disconnect.js'
import { type Owner, startProvider } from './support/provider.js'
import { assertTold, sendStream, streams } from './support/streams.js'
import { until, within } from './support/waiting.js'

const { anthropic, chat, converse, ollamaChat } = streams

describe('observers', () => {
  /** One that writes down what it is told. */
  function watching() {
    const told = {
      proxies: [] as { stats(): AiProxyStats }[],
      requests: [] as ObservedExchange[],
      records: [] as ExchangeRecord[],
      turns: [] as number[],
    }
    const observer: Observer = {
      onProxy: (proxy) => void told.proxies.push(proxy),
      onRequest: (exchange) => {
        told.requests.push(exchange)
        return { traceparent: `00-${exchange.id}`, 'X-Observed': 'yes' }
      },
      onTurn: (ms) => void told.turns.push(ms),
      onFinish: (record) => void told.records.push(record),
    }
    return { told, observer }
  }

  async function watched(t: Owner, observers: readonly Observer[]) {
    const provider = await startProvider(t, { onCall: (call) => sendStream(call, chat, chat.frames).end() })
    const app = await startApp(t, { target: provider.url, observers })
    const response = await post(app.url + chat.path, chat.request)
    await response.text()
    return { provider, app, record: await app.record(), call: provider.calls[0] }
  }

  test('see the middleware, and each exchange with its turns and its end', async (t) => {
    const { told, observer } = watching()
    const { app, provider, record } = await watched(t, [observer])
    assert.equal(told.proxies.length, 1)
    assert.deepEqual(told.proxies[0]?.stats().outcomes, app.proxy.stats().outcomes)
    assert.equal(told.requests.length, 1)
    const { id, req, format, model, stream, host, startedAt } = told.requests[0]!
    assert.deepEqual(
      [id, req.method, format, model, stream, host, startedAt],
      [record.id, 'POST', 'openai-chat', chat.told.responseModel, true, `127.0.0.1:${provider.port}`, record.startedAt],
    )
    assert.equal(told.turns.length, record.turns)
    assert.ok(told.turns.length > 0)
    assert.ok(
      told.turns.every((ms) => ms >= 0),
      `turns of ${told.turns} ms`,
    )
    assert.equal(Math.max(...told.turns), record.maxTurnMs)
    assert.deepEqual(told.records, [record])
  })

  test("add headers to the provider's request, each its own", async (t) => {
    const { observer } = watching()
    const { call, record } = await watched(t, [observer, { onRequest: () => ({ 'x-second': '2' }) }])
    assert.equal(call?.headers.traceparent, `00-${record.id}`)
    assert.deepEqual([call?.headers['x-observed'], call?.headers['x-second']], ['yes', '2'])
  })

  test('get the end of each exchange once, even if it never reached the provider', async (t) => {
    const { told, observer } = watching()
    const provider = await startProvider(t, { onCall: (call) => call.reset() })
    const app = await startApp(t, { target: provider.url, observers: [observer], models: ['good'] })
    const ends = [
      ['/v1/unheard-of', {}, 'endpoint_not_allowed'],
      [chat.path, { model: 'bad' }, 'model_not_allowed'],
      [chat.path, { model: 'good' }, 'upstream_reset'],
    ] as const
    for (const [path, body] of ends) {
      await (await post(app.url + path, body)).text()
      await app.record()
    }
    const left = await connect(t, app.port)
    left.request('POST', `/ai${chat.path}`, {
      'content-type': 'application/json',
      'content-length': '99',
      expect: '100-continue',
    })
    await left.sees('100 Continue')
    left.leave()
    await app.record()
    assert.deepEqual(
      told.records.map(({ code }) => code),
      [...ends.map(([, , code]) => code), undefined],
    )
    assert.equal(told.requests.length, 1)
    assert.equal(new Set(told.records.map(({ id }) => id)).size, 4)
  })

  const throws = () => {
    throw new Error('an observer of no use')
  }
  const useless: [string, object][] = [
    ['throwing', { onProxy: throws, onRequest: throws, onTurn: throws, onFinish: throws }],
    ['returning null for headers', { onRequest: () => null }],
    ['returning a header that HTTP forbids', { onRequest: () => ({ 'x-bad': 'a\r\nb: c' }) }],
    ['returning a framing header', { onRequest: () => ({ 'content-length': '5' }) }],
  ]
  for (const [what, bad] of useless) {
    test(`do not affect exchanges by ${what}`, async (t) => {
      const { told, observer } = watching()
      const { record, call } = await watched(t, [bad as Observer, observer])
      assertTold(record, { ...chat.told, outcome: 'completed' })
      assert.equal(call?.headers['x-observed'], 'yes')
      assert.equal(await call.text, JSON.stringify(chat.request))
      assert.equal(told.records.length, 1)
    })
  }
})

describe('overload', () => {
  const overload = { maxEventLoopDelayMs: 100 }

  test('new streams get 503 with Retry-After in their protocol while the event loop is late', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(
      t,
      { target: provider.url, overload },
      {
        // It keeps the event loop for longer than it may be late, and then comes a stream.
        before: (before) =>
          before.use((_req, _res, next) => {
            const until = performance.now() + 250
            while (performance.now() < until);
            next()
          }),
      },
    )
    for (const [stream, said] of [
      [chat, /"code":"overloaded"/],
      [anthropic, /"type":"overloaded_error".*"code":"overloaded"/],
      [ollamaChat, /^\{"error":".*","code":"overloaded"\}$/],
      [converse, /^\{"message":".*","code":"overloaded"\}$/],
    ] as const) {
      const response = await post(app.url + stream.path, stream.request)
      assert.equal(response.status, 503)
      assert.match(response.headers.get('retry-after') ?? '', /^\d+$/)
      assert.match(await response.text(), said)
      assertTold(await app.record(), { outcome: 'rejected', code: 'overloaded', status: 503 })
    }
    assert.equal(provider.calls.length, 0)
    assert.equal((await post(app.url + chat.path, { model: 'm' })).status, 200, 'what is no stream passes')
  })

  test('running streams continue, and new ones are admitted once the event loop is on time', async (t) => {
    let isLate = false
    const { admitStream } = OverloadGuard.prototype
    t.mock.method(OverloadGuard.prototype, 'admitStream', function admit(this: OverloadGuard) {
      if (!isLate) return
      // As if the loop were as late as that.
      return admitStream.call(
        new OverloadGuard(1, { now: () => late++ * 1000, every: () => ({ unref: () => {} }), stop: () => {} }),
      )
    })
    let late = 1
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, overload })
    const running = post(app.url + chat.path, chat.request)
    const call = sendStream(await provider.next(), chat, chat.frames.slice(0, 1))
    const events = new Events(await running)
    await events.next()
    isLate = true
    assert.equal((await post(app.url + chat.path, chat.request)).status, 503)
    assertTold(await app.record(), { code: 'overloaded' })
    for (const frame of chat.frames.slice(1)) call.send(frame)
    call.end()
    assert.equal((await events.rest()).length, chat.frames.length - 1)
    assertTold(await app.record(), chat.told)
    isLate = false
    const next = post(app.url + chat.path, chat.request)
    sendStream(await provider.next(), chat, chat.frames).end()
    assert.equal((await next).status, 200)
  })
})

describe('terminatorGraceMs', () => {
  for (const stream of [
    chat,
    anthropic,
    streams.responses,
    converse,
    ollamaChat,
    streams.ollamaGenerate,
    streams.cohere,
    streams.geminiArray,
  ]) {
    test(`${stream.name}: a stream ends after its terminator, even if the provider leaves it open`, async (t) => {
      const provider = await startProvider(t)
      // Nothing else would end it: no other limit is as short.
      const app = await startApp(t, { target: provider.url, limits: { terminatorGraceMs: 20 } })
      const asking = post(app.url + stream.path, stream.request)
      const call = sendStream(await provider.next(), stream, stream.frames)
      const body = Buffer.from(await (await asking).arrayBuffer())
      assert.equal(body.toString('latin1'), Buffer.concat(stream.frames).toString('latin1'))
      assertTold(await app.record(), { ...stream.told, outcome: 'completed' })
      await call.gone
    })
  }

  test('the rest of a stream reaches a slow client even after the grace has passed', async (t) => {
    const { read } = SourceReader.prototype
    let taken = 0
    t.mock.method(SourceReader.prototype, 'read', function (this: SourceReader, maxBytes: number) {
      const chunks = read.call(this, maxBytes)
      // Counted at once: their memory is used again.
      taken += sizeOf(chunks)
      return chunks
    })
    const askedForMore = t.mock.getter(ResponseStream.prototype, 'hasMore')
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { terminatorGraceMs: 100 } })
    const asking = post(app.url + chat.path, chat.request)
    const call = (await provider.next()).sse()
    // `fetch` reads no further than the head. One event, larger than what the kernel takes on its way, and then, in one
    // piece, its end and the terminator: with these the client is to read first, and what follows waits.
    const large = `data: ${'x'.repeat(7 << 20)}`
    call.send(large)
    await until(() => taken === large.length, 'the event has come, all but its end')
    const [end, behind] = ['\n\ndata: [DONE]\n\n', 'data: {"behind":1}\n\n']
    call.send(end)
    await inPhase(app, 'stalled')
    call.send(behind)
    await until(() => askedForMore.mock.callCount() > 0, 'the grace is over')
    assert.equal(askedForMore.mock.calls[0]?.result, true)
    assert.equal(app.records.length, 0)

    const text = await within((await asking).text(), 'all of it')
    assert.ok(text === large + end + behind, `${text.length} bytes came, ending with ${text.slice(-50)}`)
    assertTold(await app.record(), { outcome: 'completed', events: 3, downstreamBytes: text.length })
    await call.gone
  })

  for (const [what, frames, expected] of [
    ['without a terminator stays open until it is silent', chat.frames.slice(0, -1), { outcome: 'completed' }],
    ['without a finish reason as well, and is not complete', chat.frames.slice(0, 1), { code: 'idle_timeout' }],
  ] as const) {
    test(`a stream ${what}`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, limits: { terminatorGraceMs: 1, idleTimeoutMs: 100 } })
      const asking = post(app.url + chat.path, chat.request)
      sendStream(await provider.next(), chat, frames)
      await (await asking).text()
      const record = await app.record()
      assertTold(record, expected)
      assert.ok(record.durationMs >= 90, `${record.durationMs} ms`)
    })
  }
})
