import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { connect, Events, post } from './support/client.js'
import { openai, protocols } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { until, within } from './support/waiting.js'

const path = `/ai${openai.path}`

describe('close()', () => {
  for (const { name, path, request, events, errorIn, errorInEvent, isTerminated } of protocols) {
    test(`${name}: rejects new requests, and ends running streams with an error event`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const running = post(app.url + path, request)
      const call = (await provider.next()).sse([events[0]])
      const received = new Events(await running)
      await received.next()
      const closing = app.proxy.close({ graceMs: 30 })

      const refused = await post(app.url + path, request)
      assert.equal(refused.status, 503)
      assert.match(refused.headers.get('retry-after') ?? '', /^\d+$/)
      assert.equal(errorIn(await refused.json()).code, 'shutting_down')

      const rest = await received.rest()
      assert.equal(rest.length, 1)
      assert.equal(errorInEvent(rest[0]).code, 'shutting_down')
      assert.ok(!isTerminated(rest[0]!))
      await within(closing, 'close()')
      await call.gone
      const records = [await app.record(), await app.record()]
      assert.deepEqual(records.map(({ status }) => status).sort(), [200, 503])
      for (const { outcome, code } of records) assert.deepEqual([outcome, code], ['shutdown', 'shutting_down'])
      assert.deepEqual(app.proxy.exchanges(), [])
    })
  }

  test('lets running exchanges finish, and resolves after the last one', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const running = post(app.url + openai.path, openai.request)
    const call = (await provider.next()).sse(['data: 1\n\n'])
    const received = new Events(await running)
    await received.next()
    let isClosed = false
    const closing = app.proxy.close().then(() => {
      isClosed = true
    })
    call.send('data: 2\n\n')
    assert.equal(await received.next(), 'data: 2\n\n')
    assert.equal(isClosed, false)
    call.end('data: [DONE]\n\n')
    assert.deepEqual(await received.rest(), ['data: [DONE]\n\n'])
    await within(closing, 'close()')
    assert.equal((await app.record()).outcome, 'completed')
    await call.gone
  })

  test('lets requests finish that have arrived together, and wait for their turn to begin', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const arrived: (() => void)[] = []
    let closing: Promise<void> | undefined
    const app = await startApp(
      t,
      { target: provider.url },
      {
        mount: (express, proxy) =>
          express.use('/ai', (req, res, next) => {
            if (arrived.push(() => proxy(req, res, next)) < 12) return
            for (const begin of arrived) begin()
            closing = proxy.close()
          }),
      },
    )
    const clients = await Promise.all(Array.from({ length: 12 }, () => connect(t, app.port)))
    for (const client of clients) client.post(path, { model: 'm' })
    for (const client of clients) await client.sees('200 OK')
    assert.ok(closing)
    await within(closing, 'close()')
  })

  test('resolves at once if nothing is in progress, even if called twice', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const idle = post(app.url + openai.path, { model: 'm' })
    const call = await provider.next()
    call.json(200, {})
    await (await idle).text()
    await within(Promise.all([app.proxy.close(), app.proxy.close({ graceMs: 0 })]), 'both')
    await call.gone
    assert.equal((await post(app.url + openai.path, openai.request)).status, 503)
    await within(app.proxy.close(), 'a third one')
  })

  test('resolves a second call together with the first', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const running = post(app.url + openai.path, openai.request)
    const call = (await provider.next()).sse(['data: 1\n\n'])
    const received = new Events(await running)
    await received.next()
    const order: string[] = []
    const both = [app.proxy.close(), app.proxy.close()].map((closing, at) =>
      closing.then(() => order.push(`close ${at}`)),
    )
    call.end()
    await received.rest()
    order.push('the stream is over')
    await within(Promise.all(both), 'both')
    assert.deepEqual(order.slice().sort(), ['close 0', 'close 1', 'the stream is over'])
    assert.equal(app.proxy.stats().active, 0)
  })

  test('answers 503 before the first byte, and cuts a non-streaming answer', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const waiting = post(app.url + openai.path, openai.request)
    const silent = await provider.next()
    const half = post(app.url + openai.path, { model: 'm' }).then((response) => response.text())
    const json = await provider.next()
    json.res.writeHead(200, { 'content-type': 'application/json' }).write('{"a":')
    const uploading = await connect(t, app.port)
    uploading.request('POST', path, { 'content-type': 'application/json', 'content-length': '9' }).write('{')
    await until(() => app.proxy.exchanges().length === 3, 'all three are under way')
    await until(() => app.proxy.exchanges().some(({ bytes }) => bytes === 5), 'half an answer has passed')
    const cut = assert.rejects(half)
    const closing = app.proxy.close({ graceMs: 0 })
    assert.equal((await waiting).status, 503)
    await cut
    await uploading.sees('HTTP/1.1 503')
    await within(closing, 'close()')
    await silent.gone
    await json.gone
    for (const record of [await app.record(), await app.record(), await app.record()]) {
      assert.deepEqual([record.outcome, record.code], ['shutdown', 'shutting_down'])
    }
  })

  test('does not wait for a client that does not read', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    ;(await connect(t, app.port)).pause().post(path, openai.request)
    const call = (await provider.next()).sse()
    void call.flood(`data: ${'x'.repeat(64_000)}\n\n`)
    await until(() => app.proxy.exchanges()[0]?.phase === 'stalled', 'the client does not read')
    await within(app.proxy.close({ graceMs: 1 }), 'close()')
    await call.gone
    assert.equal((await app.record()).outcome, 'shutdown')
  })

  test('does not wait for a client that leaves the last bytes of an answer unread', async (t) => {
    const provider = await startProvider(t)
    // The app's own answer is written at once, and is more than what the kernel takes on its way.
    const app = await startApp(t, { target: provider.url, onRequest: () => ({ body: 'x'.repeat(7 << 20) }) })
    ;(await connect(t, app.port)).pause().post(path, openai.request)
    await until(() => app.proxy.exchanges()[0]?.phase === 'ending', 'the last bytes are on their way')
    await within(app.proxy.close({ graceMs: 1 }), 'close()')
    assert.equal(app.records.length, 1)
    assert.deepEqual(app.proxy.exchanges(), [])
    const record = await app.record()
    assert.deepEqual([record.outcome, record.code], ['shutdown', 'shutting_down'])
  })

  test('does not wait for an exchange that is being drained after its client left', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, onClientDisconnect: 'drain' })
    const client = (await connect(t, app.port)).post(path, openai.request)
    const call = (await provider.next()).sse(['data: 1\n\n'])
    await client.sees('data: 1\n\n')
    client.leave()
    await until(() => app.proxy.exchanges()[0]?.phase === 'draining', 'it is drained')
    await within(app.proxy.close({ graceMs: 1 }), 'close()')
    await call.gone
    const record = await app.record()
    assert.deepEqual([record.outcome, record.code], ['client_disconnect', 'shutting_down'])
  })

  test('rejects invalid arguments', async (t) => {
    const app = await startApp(t, { target: 'http://127.0.0.1:9' })
    await assert.rejects(app.proxy.close({ graceMs: -1 }), /close\.graceMs/)
    await assert.rejects(app.proxy.close({ graceMs: Number.NaN }), /close\.graceMs/)
    await assert.rejects(app.proxy.close({ grace: 1 } as never), /graceMs/)
  })
})
