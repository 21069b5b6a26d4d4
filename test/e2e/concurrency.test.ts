import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { until } from './support/waiting.js'

const path = `/ai${openai.path}`

describe('maxConcurrentExchanges', () => {
  for (const [name, body] of [
    ['streams', { model: 'm', stream: true }],
    ['non-streaming answers', { model: 'm' }],
  ] as const) {
    test(`bounds ${name}: further requests get 503, and their connection is reusable`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, limits: { maxConcurrentExchanges: 2 } })
      const busy = [post(app.url + openai.path, body), post(app.url + openai.path, body)]
      const calls = [await provider.next(), await provider.next()]
      const refused = await post(app.url + openai.path, body)
      assert.equal(refused.status, 503)
      assert.equal(refused.headers.get('retry-after'), '1')
      assert.equal(refused.headers.get('connection'), 'close')
      assert.equal(((await refused.json()) as { error: { code: string } }).error.code, 'too_many_exchanges')
      const record = await app.record()
      assert.deepEqual([record.outcome, record.limit], ['limit_exceeded', 'maxConcurrentExchanges'])
      assert.equal(provider.calls.length, 2)
      assert.equal(app.proxy.stats().limits.maxConcurrentExchanges, 1)
      calls[0]!.json(200, {})
      await (await busy[0])!.text()
      await app.record()
      const next = post(app.url + openai.path, body)
      ;(await provider.next()).json(200, {})
      assert.equal((await next).status, 200)
      calls[1]!.json(200, {})
      await (await busy[1])!.text()
    })
  }

  test('does not hide the 404 of an endpoint that is not allowed', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { maxConcurrentExchanges: 1 } })
    const client = (await connect(t, app.port)).post(path, openai.request)
    await provider.next()
    assert.equal((await post(`${app.url}/v1/files`, {})).status, 404)
    client.leave()
  })

  test('does not count clients that have left, in any phase', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { maxConcurrentExchanges: 1 } })
    const receiving = await connect(t, app.port)
    receiving.request('POST', path, { 'content-type': 'application/json', 'content-length': '100' })
    await until(() => app.proxy.exchanges().length === 1, 'it has begun')
    receiving.leave()
    await app.record()
    const waiting = (await connect(t, app.port)).post(path, openai.request)
    await provider.next()
    waiting.leave()
    await app.record()
    const answered = post(app.url + openai.path, openai.request)
    ;(await provider.next()).sse(['data: 1\n\n']).end()
    assert.equal((await answered).status, 200)
  })
})

describe('pipelined requests', () => {
  test('open one provider connection for a hundred requests, and hold no slot after their client leaves', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { maxConcurrentStreams: 3 } })
    const client = await connect(t, app.port)
    for (let at = 0; at < 101; at++) client.post(path, { model: 'm', stream: true })
    const call = await provider.next()
    await until(() => app.proxy.exchanges().length === 101, 'the app has all of them')
    assert.deepEqual([provider.connections.length, app.proxy.stats().streams], [1, 1])
    client.leave()
    await call.gone
    for (let at = 0; at < 101; at++) assert.equal((await app.record()).outcome, 'client_disconnect')
    assert.deepEqual([app.proxy.exchanges().length, app.proxy.stats().streams], [0, 0])
    assert.equal(provider.calls.length, 1)
  })

  test("close the client's connection if there are too many", async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    const one = `GET /ai/v1/models HTTP/1.1\r\nhost: app.test\r\n\r\n`
    client.write(one.repeat(120))
    await client.end()
    await until(() => app.proxy.exchanges().length === 0, 'none is left')
    const refused = app.records.filter(({ code }) => code === 'pipeline_too_long')
    assert.equal(provider.connections.length <= 1, true)
    assert.deepEqual([...new Set(refused.map(({ outcome }) => outcome))], ['rejected'])
    assert.equal(app.records.length, app.proxy.stats().exchanges)
  })

  test('are refused as they arrive, not only once their turn comes: what follows is not read', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    const one = `GET /ai/v1/models HTTP/1.1\r\nhost: app.test\r\n\r\n`
    client.write(one.repeat(10_000))
    await client.end()
    await until(() => app.proxy.exchanges().length === 0, 'none is left')
    // One may be answered meanwhile, or be refused before those in front of it are known to wait.
    const { exchanges } = app.proxy.stats()
    assert.ok(exchanges >= 101 && exchanges <= 105, `${exchanges} requests`)
    assert.equal(app.records.length, exchanges)
  })

  for (const [name, headers, bytes] of [
    ['large', { 'content-length': '30000000' }, 900_000],
    ['larger than what is read of it', { 'content-length': '30000000' }, 2_000_000],
    ['of unknown length', { 'transfer-encoding': 'chunked' }, 900_000],
  ] as const) {
    test(`with a body that is ${name}, waiting for a silent provider: the proxy notices when the client leaves`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, endpoints: ['chat/completions', 'audio/*'] })
      const client = (await connect(t, app.port)).post(path, openai.request)
      const call = await provider.next()
      client.request('POST', '/ai/v1/audio/transcriptions', { 'content-type': 'audio/wav', ...headers })
      client.write(`${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`)
      await until(() => app.proxy.exchanges().length === 2, 'both have begun')
      client.leave()
      await call.gone
      const records = [await app.record(), await app.record()]
      assert.deepEqual(records.map(({ outcome }) => outcome).sort(), ['client_disconnect', 'rejected'])
    })
  }

  test('are rejected by close() if they still wait', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = (await connect(t, app.port)).post(path, openai.request).post(path, openai.request)
    const call = await provider.next()
    await until(() => app.proxy.exchanges().length === 2, 'both have begun')
    const closed = app.proxy.close()
    call.sse(['data: 1\n\n']).end()
    await client.sees('"code":"shutting_down"')
    await closed
    assert.equal(provider.calls.length, 1)
  })
})

describe('a stalled upload', () => {
  const limits = { uploadIdleTimeoutMs: 150 }
  const upload = { 'content-type': 'audio/wav', 'content-length': '30000000' }
  const endpoints = ['audio/*']

  test('ends with 504 if the provider does not read, even after the client has left', async (t) => {
    const provider = net.createServer({ pauseOnConnect: true }, (socket) => t.after(() => socket.destroy()))
    provider.listen(0, '127.0.0.1')
    await once(provider, 'listening')
    t.after(() => provider.close())
    const { port } = provider.address() as net.AddressInfo
    const app = await startApp(t, { target: `http://127.0.0.1:${port}`, endpoints, limits })
    for (const leaves of [false, true]) {
      const client = (await connect(t, app.port)).request('POST', '/ai/v1/audio/transcriptions', upload)
      client.write('x'.repeat(20_000_000))
      if (leaves) {
        await until(() => app.proxy.exchanges()[0]?.phase === 'waiting', 'it is on its way')
        client.leave()
      } else assert.match(await client.sees('"code":"upload_timeout"'), /^HTTP\/1\.1 504 /)
      const { outcome, limit } = await app.record()
      // A client that leaves before the connection is full is seen to leave.
      if (!leaves || outcome !== 'client_disconnect') {
        assert.deepEqual([outcome, limit], ['limit_exceeded', 'uploadIdleTimeoutMs'])
      }
    }
  })

  test('ends with 408 if the client sends nothing', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, endpoints, limits })
    const client = (await connect(t, app.port)).request('POST', '/ai/v1/audio/transcriptions', upload)
    client.write('x'.repeat(1000))
    const call = await provider.next()
    assert.match(await client.sees('"code":"upload_timeout"'), /^HTTP\/1\.1 408 /)
    await call.gone
    assert.equal((await app.record()).limit, 'uploadIdleTimeoutMs')
  })

  test('no longer counts once it is complete: the provider may take longer to answer', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, endpoints, limits: { uploadIdleTimeoutMs: 30 } })
    const client = await connect(t, app.port)
    client.request('POST', '/ai/v1/audio/transcriptions', { 'content-type': 'audio/wav' }, 'x'.repeat(1000))
    const call = await provider.next()
    await call.text
    // One that began later may stand still for as long.
    const other = (await connect(t, app.port)).request('POST', '/ai/v1/audio/transcriptions', upload)
    await other.sees('"code":"upload_timeout"')
    assert.equal((await app.record()).limit, 'uploadIdleTimeoutMs')
    call.json(200, { text: 'Hello' })
    await client.sees('Hello')
    assert.equal((await app.record()).outcome, 'completed')
  })
})
