import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import net, { type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import tls from 'node:tls'
import { type App, startApp } from './support/app.js'
import { connect, Events, post, RawClient } from './support/client.js'
import { openai, protocols } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { closed, within } from './support/waiting.js'

describe('a status below 100', () => {
  const answers = {
    'with a body': 'HTTP/1.1 099 X\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
    'with events': 'HTTP/1.1 099 X\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n',
    'with an empty body': 'HTTP/1.1 099 X\r\ncontent-length: 0\r\n\r\n',
    'without a body': 'HTTP/1.1 099 X\r\n\r\n',
  }
  for (const [what, answer] of Object.entries(answers)) {
    for (const request of [openai.request, { model: 'm' }]) {
      test(`${what}, to a request ${'stream' in request ? 'for a stream' : 'for JSON'}: 502`, async (t) => {
        const provider = await startProvider(t)
        const app = await startApp(t, { target: provider.url })
        const waiting = post(app.url + openai.path, request)
        const call = (await provider.next()).raw(answer)
        const response = await within(waiting, 'the answer')
        assert.equal(response.status, 502)
        assert.equal(openai.errorIn(await response.json()).code, 'upstream_reset')
        const { outcome, code, status } = await app.record()
        assert.deepEqual({ outcome, code, status }, { outcome: 'upstream_error', code: 'upstream_reset', status: 502 })
        assert.deepEqual(app.proxy.exchanges(), [])
        await call.gone

        const next = post(app.url + openai.path, { model: 'm' })
        ;(await provider.next()).json(200, { ok: 1 })
        assert.deepEqual(await (await next).json(), { ok: 1 })
      })
    }

    test(`${what}, after heartbeats: an error event`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, heartbeat: { beforeFirstByte: true } })
      const response = await post(app.url + openai.path, openai.request)
      const call = (await provider.next()).raw(answer)
      const events = await new Events(response).rest()
      assert.equal(openai.errorInEvent(events.at(-1)).code, 'upstream_reset')
      assert.ok(!events.join('').includes('data: 1'))
      assert.equal((await app.record()).code, 'upstream_reset')
      await call.gone
    })
  }
})

describe('a provider that switches protocols', () => {
  for (const request of [openai.request, { model: 'm' }]) {
    test(`without being asked, for ${'stream' in request ? 'a stream' : 'JSON'}: 502 at once`, async (t) => {
      const provider = await startProvider(t)
      // The other way for it to end would be this limit, which names itself.
      const app = await startApp(t, { target: provider.url, limits: { firstByteTimeoutMs: 5000 } })
      const waiting = post(app.url + openai.path, request)
      const call = await provider.next()
      call.raw('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n')
      const response = await within(waiting, 'the answer')
      assert.equal(response.status, 502)
      assert.equal(openai.errorIn(await response.json()).code, 'upstream_reset')
      const { outcome, code } = await app.record()
      assert.deepEqual({ outcome, code }, { outcome: 'upstream_error', code: 'upstream_reset' })
      await call.gone
      assert.equal(provider.calls.length, 1)
    })
  }
})

describe('a provider error whose content type is text/event-stream', () => {
  for (const { name, path, request } of protocols) {
    test(`${name}: passes unchanged`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const body = '{"error": {"message":"no such model — 你好",\n\n"code" : null}}'
      const length = String(Buffer.byteLength(body))
      const waiting = post(app.url + path, request)
      const call = await provider.next()
      call.res.writeHead(400, { 'content-type': 'text/event-stream', 'content-length': length }).end(body)
      const response = await within(waiting, 'the answer')
      assert.equal(response.status, 400)
      assert.equal(response.headers.get('content-type'), 'text/event-stream')
      assert.equal(response.headers.get('content-length'), length)
      assert.equal(response.headers.get('x-accel-buffering'), null)
      assert.equal(response.headers.get('cache-control'), null)
      assert.equal(await response.text(), body)
      const { outcome, code, status, events } = await app.record()
      assert.deepEqual(
        { outcome, code, status, events },
        { outcome: 'provider_error', code: undefined, status: 400, events: 0 },
      )
    })
  }
})

describe('an HTTP/1.0 client', () => {
  const body = '{"model":"m"}'
  const request = `POST /ai${openai.path} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`

  for (const end of ['reset', 'closed'] as const) {
    test(`gets a connection reset if the answer was ${end} half way, so that it does not look complete`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const client = await connect(t, app.port)
      const seen: (string | undefined)[] = []
      client.socket.on('error', (error: NodeJS.ErrnoException) => seen.push(error.code))
      client.socket.on('end', () => seen.push('a clean end'))
      client.write(request)
      const call = await provider.next()
      call.res.writeHead(200, { 'content-type': 'application/json' }).write('{"a":')
      assert.match(await client.sees('{"a":'), /^HTTP\/1\.1 200 (?![\s\S]*content-length)/i)
      if (end === 'reset') call.reset()
      else call.socket.end()
      await closed(client.socket, "the client's connection")
      assert.deepEqual(seen, ['ECONNRESET'])
      const { outcome, code } = await app.record()
      assert.deepEqual({ outcome, code }, { outcome: 'upstream_error', code: 'upstream_reset' })
    })
  }

  // Where a connection cannot be reset, it is closed: Node throws at the attempt.
  const connections: Record<string, (t: TestContext, app: App) => Promise<Socket>> = {
    'over TLS': async (_t, app) => tls.connect({ port: app.port, host: '127.0.0.1', rejectUnauthorized: false }),
    'over a Unix socket': async (t, app) => {
      const folder = await mkdtemp(join(tmpdir(), 'ai-proxy-'))
      t.after(() => rm(folder, { recursive: true }))
      const path = join(folder, 'app.sock')
      const server = http.createServer(app.server.listeners('request')[0] as http.RequestListener)
      await new Promise<void>((resolve) => server.listen(path, resolve))
      t.after(() => server.close())
      return net.connect(path)
    },
  }
  for (const [how, connectTo] of Object.entries(connections)) {
    for (const [why, limits, code] of [
      ['is reset half way', {}, 'upstream_reset'],
      ['is not read by the client', { drainTimeoutMs: 50 }, 'slow_client'],
    ] as const) {
      test(`${how}: gets a closed connection if an answer ${why}, and the process does not crash`, async (t) => {
        const provider = await startProvider(t)
        const app = await startApp(t, { target: provider.url, limits }, { tls: how === 'over TLS' })
        const client = new RawClient(await connectTo(t, app))
        t.after(() => client.leave())
        client.write(request)
        const call = await provider.next()
        call.res.writeHead(200, { 'content-type': 'application/json' }).write('{"a":')
        await client.sees('{"a":')
        if (code === 'slow_client') {
          client.pause()
          void call.flood('x'.repeat(64_000))
        } else {
          call.reset()
        }
        assert.equal((await app.record()).code, code)
        client.socket.resume()
        await client.end()
      })
    }
  }

  test('gets a complete answer, and a clean end of the connection', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    const errors: Error[] = []
    client.socket.on('error', (error) => errors.push(error))
    client.write(request)
    const call = await provider.next()
    call.res.writeHead(200, { 'content-type': 'application/json' }).write('{"a":')
    await client.sees('{"a":')
    call.end('1}')
    assert.ok((await client.end()).endsWith('\r\n\r\n{"a":1}'))
    assert.deepEqual(errors, [])
    assert.equal((await app.record()).outcome, 'completed')
  })
})

describe('a stream that ends by closing the connection', () => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n'

  for (const { name, path, request, events, errorInEvent, isTerminated } of protocols) {
    for (const half of ['data: {"half":', 'data: {"half":"of a wo', 'event: half\ndata: {"type":"ha']) {
      test(`${name}: in the middle of an event (${JSON.stringify(half)}): upstream_reset`, async (t) => {
        const provider = await startProvider(t, {
          onCall: (call) => call.raw(head + events[0] + half).socket.end(),
        })
        const app = await startApp(t, { target: provider.url })
        const received = await new Events(await post(app.url + path, request)).rest()
        assert.equal(received.length, 2)
        assert.equal(received[0], events[0])
        assert.equal(errorInEvent(received[1]).code, 'upstream_reset')
        assert.ok(!received.join('').includes('"ha'))
        assert.ok(!isTerminated(received.join('')))
        const record = await app.record()
        assert.deepEqual([record.outcome, record.code, record.events], ['upstream_error', 'upstream_reset', 1])
      })
    }

    test(`${name}: after a whole event that is not the last: upstream_truncated`, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => call.raw(head + events[0]).socket.end() })
      const app = await startApp(t, { target: provider.url })
      const received = await new Events(await post(app.url + path, request)).rest()
      assert.equal(received[0], events[0])
      assert.equal(errorInEvent(received[1]).code, 'upstream_truncated')
      const record = await app.record()
      assert.deepEqual([record.outcome, record.code, record.events], ['upstream_error', 'upstream_truncated', 1])
    })
  }

  const whole: [string, (typeof protocols)[number]][] = [
    ['data: [DONE]', openai],
    ['data: [DONE]\n', openai],
    ['data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}', openai],
    ['data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n', openai],
    ['event: message_stop\ndata: {"type":"message_stop"}', protocols[1]!],
  ]
  for (const [last, { path, request, events }] of whole) {
    test(`${JSON.stringify(last)} without a blank line: completed, with a blank line added`, async (t) => {
      const provider = await startProvider(t, {
        onCall: (call) => call.raw(head + events[0] + last).socket.end(),
      })
      const app = await startApp(t, { target: provider.url })
      const received = await new Events(await post(app.url + path, request)).rest()
      assert.deepEqual(received, [events[0], `${last.trimEnd()}\n\n`])
      const record = await app.record()
      assert.deepEqual([record.outcome, record.code, record.events], ['completed', undefined, 2])
    })
  }
})
