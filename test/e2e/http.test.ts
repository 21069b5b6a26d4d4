import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Express } from 'express'
import { startApp } from './support/app.js'
import { connect } from './support/client.js'
import { anthropic, openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { until } from './support/waiting.js'

const json = { 'content-type': 'application/json' }

describe('methods', () => {
  test('HEAD gets the head and no body, and the connection is reusable', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = (await connect(t, app.port)).request('HEAD', '/ai/v1/models')
    const call = await provider.next()
    assert.equal(call.req.method, 'HEAD')
    call.res.writeHead(200, { ...json, 'content-length': '1234', 'content-encoding': 'gzip' }).end()
    const head = await client.sees('\r\n\r\n')
    assert.match(head, /\r\ncontent-length: 1234\r\n/i)
    assert.match(head, /\r\ncontent-encoding: gzip\r\n/i)
    assert.equal((await app.record()).outcome, 'completed')
    client.request('GET', '/ai/v1/models')
    ;(await provider.next()).json(200, { data: [] })
    assert.match(await client.sees('{"data":[]}'), /^HTTP\/1\.1 200/)
  })

  test('HEAD gets no body if the endpoint is not allowed or the provider is unreachable', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.reset() })
    const app = await startApp(t, { target: provider.url })
    const client = (await connect(t, app.port)).request('HEAD', '/ai/v1/files').request('HEAD', '/ai/v1/models')
    await client.sees(/^HTTP\/1\.1 404[\s\S]*?\r\n\r\n/)
    await client.sees(/HTTP\/1\.1 502[\s\S]*?\r\n\r\n/)
    const [first, second] = [await app.record(), await app.record()]
    assert.equal(client.text.split('\r\n\r\n').filter(Boolean).length, 2)
    assert.equal(first.downstreamBytes, 0)
    assert.equal(second.downstreamBytes, 0)
  })

  test('OPTIONS lists the allowed methods without asking the provider', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const allowed = await fetch(app.url + openai.path, { method: 'OPTIONS' })
    assert.equal(allowed.status, 204)
    assert.match(allowed.headers.get('allow') ?? '', /\bPOST\b/)
    assert.equal((await fetch(`${app.url}/v1/files`, { method: 'OPTIONS' })).status, 404)
    assert.equal(provider.calls.length, 0)
  })

  test('OPTIONS passes if an endpoint allows any method', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, { method: call.req.method }) })
    const app = await startApp(t, { target: provider.url, endpoints: 'all' })
    const answer = await fetch(`${app.url}/v1/files`, { method: 'OPTIONS' })
    assert.deepEqual(await answer.json(), { method: 'OPTIONS' })
  })

  test('the wrong method on an endpoint gets 405', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const answer = await fetch(app.url + openai.path)
    assert.equal(answer.status, 405)
    assert.equal(answer.headers.get('allow'), 'POST, OPTIONS')
    assert.equal(openai.errorIn(await answer.json()).code, 'method_not_allowed')
    const said = await fetch(app.url + anthropic.path, { method: 'PUT' })
    assert.equal(said.status, 405)
    assert.equal(anthropic.errorIn(await said.json()).code, 'method_not_allowed')
    assert.equal((await app.record()).code, 'method_not_allowed')
    assert.equal(provider.calls.length, 0)
  })

  for (const upgrade of ['websocket', 'WebSocket', 'h2c, websocket', 'websocket/13']) {
    for (const path of [openai.path, anthropic.path, '/v1/realtime', '/v1/chat/../x']) {
      test(`a WebSocket upgrade (${upgrade}) on ${path} is rejected: HTTP would work`, async (t) => {
        const provider = await startProvider(t)
        const app = await startApp(t, { target: provider.url })
        const client = await connect(t, app.port)
        client.request('GET', `/ai${path}`, { connection: 'Upgrade', upgrade, 'sec-websocket-version': '13' })
        const answer = await client.sees(/\r\n\r\n\{.*\}$/s)
        assert.match(answer, /^HTTP\/1\.1 426 [\s\S]*\r\nupgrade: HTTP\/1\.1\r\n/i)
        const body: unknown = JSON.parse(answer.slice(answer.indexOf('{')))
        const protocol = path === anthropic.path ? anthropic : openai
        assert.equal(protocol.errorIn(body).code, 'upgrade_required')
        assert.equal((await app.record()).code, 'upgrade_required')
        assert.equal(provider.connections.length, 0)
      })
    }
  }

  test("an upgrade to HTTP/2, which Java's client requests, is ignored", async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    client.request('GET', '/ai/v1/models', {
      connection: 'Upgrade, HTTP2-Settings',
      upgrade: 'h2c',
      'http2-settings': 'A',
    })
    assert.equal((await provider.next()).headers.upgrade, undefined)
    assert.match(await client.sees('{}'), /^HTTP\/1\.1 200/)
  })
})

describe('request bodies', () => {
  test("JSON passes byte for byte, in the client's own spelling", async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    const body = ' {"model" : "m\\u0041",\n\t"n":1.0, "n":12345678901234567890, "messages":[]} '
    client.request('POST', `/ai${openai.path}`, json, body)
    const call = await provider.next()
    assert.equal(await call.text, body)
    assert.equal(call.headers['content-length'], String(body.length))
    const record = await app.record()
    assert.equal(record.model, 'mA')
    assert.equal(record.requestBytes, body.length)
  })

  test('chunked JSON passes', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url, includeUsage: false })
    const client = await connect(t, app.port)
    client.request('POST', `/ai${openai.path}`, { ...json, 'transfer-encoding': 'chunked' })
    client.write('7\r\n{"model\r\n').write('8;ext=1\r\n":"m","s\r\n').write('c\r\ntream":true}\r\n0\r\n\r\n')
    assert.equal(await (await provider.next()).text, '{"model":"m","stream":true}')
    const record = await app.record()
    assert.equal(record.model, 'm')
    assert.equal(record.stream, true)
  })

  test('compressed JSON passes unchanged, and is read', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url, includeUsage: false })
    const client = await connect(t, app.port)
    const body = gzipSync(JSON.stringify(openai.request)).toString('latin1')
    client.request('POST', `/ai${openai.path}`, { ...json, 'content-encoding': 'gzip' }, body)
    const call = await provider.next()
    assert.equal(call.headers['content-encoding'], 'gzip')
    assert.equal(await call.text, body)
    assert.equal((await app.record()).model, openai.request.model)
  })

  test('Expect: 100-continue is answered', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, { ok: 1 }) })
    const app = await startApp(t, { target: provider.url, includeUsage: false })
    const client = await connect(t, app.port)
    const body = JSON.stringify(openai.request)
    const headers = { ...json, expect: '100-continue', 'content-length': String(body.length) }
    client.request('POST', `/ai${openai.path}`, headers)
    await client.sees('HTTP/1.1 100 Continue\r\n\r\n')
    client.write(body)
    await client.sees('{"ok":1}')
    const call = await provider.next()
    assert.equal(call.headers.expect, undefined)
    assert.equal(await call.text, body)
  })

  test('multipart passes unbuffered, and is counted', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, endpoints: ['audio/transcriptions'] })
    const client = await connect(t, app.port)
    const parts = ['--b\r\ncontent-disposition: form-data; name="file"\r\n\r\n', '\x00\xff audio', '\r\n--b--\r\n']
    const length = parts.join('').length
    client.request('POST', '/ai/v1/audio/transcriptions', {
      'content-type': 'multipart/form-data; boundary=b',
      'content-length': String(length),
    })
    client.write(parts[0]!)
    const call = await provider.next()
    assert.equal(call.headers['content-length'], String(length))
    await until(() => call.received.length === parts[0]!.length, 'the provider has the first part')
    for (const part of parts.slice(1)) {
      const before = call.received.length
      client.write(part)
      await until(() => call.received.length === before + part.length, 'the provider has this part')
    }
    assert.equal(await call.text, parts.join(''))
    call.json(200, { text: 'Hi' })
    await client.sees('{"text":"Hi"}')
    assert.equal((await app.record()).requestBytes, length)
  })

  test("a streamed body does not affect the app's listeners", async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(400, {}) })
    const ended: string[] = []
    const before = (app: Express) => {
      app.use((req, _res, next) => {
        req.on('end', () => ended.push(req.originalUrl))
        next()
      })
    }
    const app = await startApp(t, { target: provider.url, endpoints: 'all' }, { before })
    const client = await connect(t, app.port)
    client.request('POST', '/ai/v1/upload', { 'content-type': 'application/octet-stream', 'content-length': '5' })
    client.write('a')
    await client.sees('{}')
    // Who does not end an upload soon after the answer loses the connection.
    client.write('rest').request('GET', '/ai/v1/next')
    await app.record()
    await app.record()
    await until(() => ended.includes('/ai/v1/next'), 'the second request has ended')
    assert.deepEqual(ended, ['/ai/v1/upload', '/ai/v1/next'])
  })

  test('a body without a content-length is sent chunked', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.req.on('end', () => call.json(200, {})) })
    const app = await startApp(t, { target: provider.url, endpoints: 'all' })
    const client = await connect(t, app.port)
    client.request('POST', '/ai/v1/upload', { 'content-type': 'audio/wav', 'transfer-encoding': 'chunked' })
    client.write('3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n')
    const call = await provider.next()
    assert.equal(await call.text, 'abcde')
    assert.equal(call.headers['transfer-encoding'], 'chunked')
    assert.equal((await app.record()).requestBytes, 5)
  })
})

describe('connections', () => {
  test('an HTTP/1.0 client gets its events, and the connection closes after them', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    const body = JSON.stringify(openai.request)
    client.write(
      `POST /ai${openai.path} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    const call = (await provider.next()).sse(['data: 1\n\n'])
    await client.sees('data: 1\n\n')
    call.send('data: 2\n\n').end()
    assert.ok((await client.end()).endsWith('\r\n\r\ndata: 1\n\ndata: 2\n\n'))
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('a connection carries several exchanges, on both sides', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    for (const number of [1, 2, 3]) {
      client.post(`/ai${openai.path}`, openai.request)
      ;(await provider.next()).sse().end(`data: ${number}\n\n`)
      await client.sees(`data: ${number}\n\n`)
      await client.sees('0\r\n\r\n')
      assert.equal((await app.record()).outcome, 'completed')
    }
    assert.equal(provider.connections.length, 1)
  })

  test('pipelined requests go to the provider one after the other', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { maxConcurrentExchanges: 1 } })
    const client = await connect(t, app.port)
    for (const model of ['first', 'second', 'third']) client.post(`/ai${openai.path}`, { ...openai.request, model })
    for (const model of ['first', 'second', 'third']) {
      const call = await provider.next()
      assert.equal(JSON.parse(await call.text).model, model)
      await until(
        () => app.proxy.exchanges().length === app.proxy.stats().exchanges - app.records.length,
        'all are there',
      )
      call.sse([`data: ${model}\n\n`]).end()
      await client.sees(`data: ${model}\n\n\r\n0\r\n\r\n`)
      assert.equal((await app.record()).outcome, 'completed')
    }
    assert.equal(provider.connections.length, 1)
  })

  test('a dozen pipelined requests add no excess listeners, whether they are answered or abandoned', async (t) => {
    const warnings: string[] = []
    const onWarning = ({ name }: Error) => warnings.push(name)
    process.on('warning', onWarning)
    t.after(() => process.off('warning', onWarning))
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    for (const outcome of ['completed', 'client_disconnect']) {
      const client = await connect(t, app.port)
      for (let at = 0; at < 12; at++) client.post(`/ai${openai.path}`, { model: `m${at}` })
      for (let at = 0; at < (outcome === 'completed' ? 12 : 1); at++) {
        const call = await provider.next()
        if (outcome === 'completed') call.json(200, {})
      }
      await until(() => app.proxy.stats().exchanges % 12 === 0, 'the app has all of them')
      if (outcome === 'client_disconnect') client.leave()
      for (let at = 0; at < 12; at++) assert.equal((await app.record()).outcome, outcome)
    }
    assert.deepEqual(warnings, [])
  })

  test('a pipelined request that waits for a running stream does not count as a slow reader', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { drainTimeoutMs: 30 } })
    const client = await connect(t, app.port)
    client.post(`/ai${openai.path}`, openai.request)
    const first = (await provider.next()).sse(['data: first\n\n'])
    // It is answered at once, with a failure, behind the first one.
    client.post(`/ai${openai.path}`, { ...openai.request, model: 'x'.repeat(100_000) })
    await until(() => app.proxy.exchanges()[1]?.phase === 'ending', 'the second one waits for the first')
    // A client that does not read is given no more than the time that it has waited by now.
    ;(await connect(t, app.port)).pause().post(`/ai${openai.path}`, openai.request)
    void (await provider.next()).sse().flood(`data: ${'x'.repeat(64_000)}\n\n`)
    assert.equal((await app.record()).code, 'slow_client')
    first.end()
    await client.sees('"code":"pipeline_too_long"')
    assert.equal((await app.record()).outcome, 'completed')
    assert.equal((await app.record()).code, 'pipeline_too_long')
  })

  test('a connection that the provider closed while idle does not fail the next request', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    client.post(`/ai${openai.path}`, openai.request)
    ;(await provider.next()).sse().end('data: 1\n\n')
    await client.sees('0\r\n\r\n')
    await app.record()
    // The request goes out in the same tick as the provider's reset, on the connection that is still in the pool.
    provider.connections[0]?.resetAndDestroy()
    client.post(`/ai${openai.path}`, openai.request)
    ;(await provider.next()).sse().end('data: 2\n\n')
    await client.sees('data: 2\n\n')
    assert.equal((await app.record()).outcome, 'completed')
  })
})
