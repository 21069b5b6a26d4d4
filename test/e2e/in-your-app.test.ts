import assert from 'node:assert/strict'
import http from 'node:http'
import https from 'node:https'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import compression from 'compression'
import cors from 'cors'
import express, { type Express } from 'express'
import helmet from 'helmet'
import morgan from 'morgan'
import { aiProxy } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { cert } from './support/certificate.js'
import { connect, Events, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Owner, startProvider } from './support/provider.js'
import { Queue, within } from './support/waiting.js'

const path = `/ai${openai.path}`
const json = { 'content-type': 'application/json' }

async function startEchoed(t: Owner, before: (app: Express) => unknown, options = {}) {
  const provider = await startProvider(t, { onCall: (call) => call.req.on('end', () => call.json(200, {})) })
  const app = await startApp(t, { target: provider.url, ...options }, { before: (app) => void before(app) })
  return { provider, app, client: await connect(t, app.port) }
}

describe('behind body parsers', () => {
  const spelled = '{ "model":"m", "stream":false, "n":1.0, "messages":[{"content":"é👋"}] }'
  const keepRaw = (req: http.IncomingMessage, _res: unknown, bytes: Buffer) => Object.assign(req, { rawBody: bytes })
  const parsers: Record<string, { parser: express.RequestHandler; sent: string }> = {
    'express.json()': { parser: express.json(), sent: JSON.stringify(JSON.parse(spelled)) },
    'express.json() that keeps rawBody': { parser: express.json({ verify: keepRaw }), sent: spelled },
    'express.text()': { parser: express.text({ type: '*/*' }), sent: spelled },
    'express.raw()': { parser: express.raw({ type: '*/*' }), sent: spelled },
    'a parser of another type': { parser: express.urlencoded({ extended: true }), sent: spelled },
  }
  for (const [what, { parser, sent }] of Object.entries(parsers)) {
    for (const compressed of [false, true]) {
      test(`${what}: ${compressed ? 'compressed ' : ''}JSON`, async (t) => {
        const { provider, app, client } = await startEchoed(t, (app) => app.use(parser))
        const bytes = compressed ? gzipSync(spelled) : Buffer.from(spelled)
        const headers = compressed ? { ...json, 'content-encoding': 'gzip' } : { ...json }
        client.request('POST', path, headers, bytes.toString('latin1'))
        const call = await provider.next()
        const isStillCompressed = compressed && what === 'a parser of another type'
        const expected = isStillCompressed ? bytes : Buffer.from(sent)
        assert.ok(Buffer.from(await call.text, 'latin1').equals(expected))
        assert.equal(call.headers['content-length'], String(expected.length))
        assert.equal(call.headers['content-encoding'], isStillCompressed ? 'gzip' : undefined)
        assert.match(call.headers['content-type'] ?? '', /^application\/json/)
        const record = await app.record()
        assert.equal(record.model, 'm')
        assert.equal(record.requestBytes, expected.length)
      })
    }
  }

  test('express.urlencoded(): a form', async (t) => {
    const { provider, client } = await startEchoed(t, (app) => app.use(express.urlencoded({ extended: true })), {
      endpoints: 'all',
    })
    const type = 'application/x-www-form-urlencoded'
    client.request('POST', '/ai/v1/form', { 'content-type': type }, 'a=1&b%5Bc%5D=x+y&d=%C3%A9&l=1&l=2')
    const call = await provider.next()
    const fields = new URLSearchParams(await call.text)
    assert.deepEqual([fields.get('a'), fields.get('b[c]'), fields.get('d')], ['1', 'x y', 'é'])
    assert.equal(fields.size, 5)
    assert.match(call.headers['content-type'] ?? '', /^application\/x-www-form-urlencoded/)
  })

  test('a body that nobody kept: 400, which says what to do', async (t) => {
    const drained = (app: Express) => app.use((req, _res, next) => void req.resume().on('end', () => next()))
    const { provider, app, client } = await startEchoed(t, drained)
    client.request('POST', path, json, spelled.replace(/[^ -~]/g, ''))
    assert.match(await client.sees(/mount it before/), /^HTTP\/1\.1 400/)
    assert.equal((await app.record()).code, 'invalid_request')
    assert.equal(provider.calls.length, 0)
  })

  test('requests without a body pass through all of them', async (t) => {
    const all = (app: Express) => app.use(express.json(), express.text(), express.raw(), express.urlencoded())
    const { provider, client } = await startEchoed(t, all)
    client.request('GET', '/ai/v1/models')
    const call = await provider.next()
    assert.equal(await call.text, '')
    assert.equal(call.headers['content-length'], undefined)
  })

  test('the limit holds for what a parser has read', async (t) => {
    const { app, client } = await startEchoed(t, (app) => app.use(express.json()), { limits: { maxRequestBytes: 50 } })
    const body = gzipSync(JSON.stringify({ model: 'm', x: 'x'.repeat(500) }))
    assert.ok(body.length < 50, 'the limit is not hit before the parser')
    client.request('POST', path, { ...json, 'content-encoding': 'gzip' }, body.toString('latin1'))
    await client.sees('HTTP/1.1 413')
    assert.equal((await app.record()).code, 'request_too_large')
  })
})

describe('behind compression(), helmet(), cors() and morgan()', () => {
  const mountAll = (app: Express) => {
    app.use(morgan('tiny', { stream: { write: () => {} } }), compression({ threshold: 0 }), helmet(), cors())
  }
  test('events still arrive one by one', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url }, { before: mountAll })
    const answer = fetch(app.url + openai.path, {
      method: 'POST',
      headers: { ...json, origin: 'http://elsewhere.test', 'accept-encoding': 'gzip, br' },
      body: JSON.stringify(openai.request),
    })
    const call = (await provider.next()).sse([], { vary: 'Accept', 'access-control-allow-origin': 'http://provider' })
    const response = await within(answer, 'the head')
    assert.equal(response.headers.get('access-control-allow-origin'), '*')
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
    assert.match(response.headers.get('vary') ?? '', /Accept/)
    const events = new Events(response)
    for (const event of openai.events) {
      call.send(event)
      assert.equal(await events.next(), event)
    }
    call.end()
    assert.equal(await events.next(), undefined)
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('also where the app compresses in spite of no-transform', async (t) => {
    const provider = await startProvider(t)
    // A middleware of the app takes the directive away again, so that compression() does its work.
    const before = (app: Express) => {
      app.use(compression({ threshold: 0 }), (_req, res, next) => {
        const set = res.setHeader.bind(res)
        res.setHeader = (name, value) => set(name, name === 'cache-control' ? 'no-cache' : value)
        next()
      })
    }
    const app = await startApp(t, { target: provider.url, heartbeatMs: 20 }, { before })
    const answer = post(app.url + openai.path, openai.request, { headers: { 'accept-encoding': 'gzip' } })
    const call = (await provider.next()).sse()
    const response = await within(answer, 'the head')
    assert.equal(response.headers.get('content-encoding'), 'gzip')
    const events = new Events(response)
    for (const event of openai.events) {
      call.send(event)
      let received = await events.next()
      while (received?.startsWith(':')) received = await events.next()
      assert.equal(received, event)
    }
    call.end()
    await events.rest()
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('a large answer that is compressed on its way, to a client that reads late: whole, and no listener too many', async (t) => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    t.after(() => process.off('warning', onWarning))
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url }, { before: mountAll })
    const answer = fetch(app.url + openai.path, {
      method: 'POST',
      headers: { ...json, 'accept-encoding': 'gzip' },
      body: '{"model":"m"}',
    })
    const call = await provider.next()
    call.res.writeHead(200, json)
    // Numbers, for they compress badly: the compressor is the one that has to be waited for.
    const part = () => JSON.stringify(Array.from({ length: 4000 }, Math.random))
    const parts = Array.from({ length: 60 }, part)
    for (const each of parts) call.send(each)
    call.end()
    const response = await answer
    assert.equal(response.headers.get('content-encoding'), 'gzip')
    assert.equal(await response.text(), parts.join(''))
    assert.equal((await app.record()).outcome, 'completed')
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(warnings, [])
  })

  test('an error event, and leaving, are the same behind them', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { idleTimeoutMs: 30 } }, { before: mountAll })
    const answer = post(app.url + openai.path, openai.request)
    ;(await provider.next()).sse(['data: 1\n\n'])
    const events = await new Events(await answer).rest()
    assert.equal(openai.errorInEvent(events[1]).code, 'idle_timeout')
    await app.record()
    const client = (await connect(t, app.port)).post(path, openai.request)
    const call = (await provider.next()).sse(['data: 1\n\n'])
    await client.sees('data: 1\n\n')
    client.leave()
    await call.gone
    assert.equal((await app.record()).outcome, 'client_disconnect')
  })

  test('OPTIONS of a browser is answered by cors()', async (t) => {
    const app = await startApp(t, { target: 'http://127.0.0.1:9' }, { before: mountAll })
    const headers = { origin: 'http://a.test', 'access-control-request-method': 'POST' }
    const response = await fetch(app.url + openai.path, { method: 'OPTIONS', headers })
    assert.equal(response.status, 204)
    assert.match(response.headers.get('access-control-allow-methods') ?? '', /POST/)
  })
})

describe('mounted', () => {
  const mounts: Record<string, [url: string, mount: (app: Express, proxy: express.RequestHandler) => unknown]> = {
    'in a Router': ['/api/ai', (app, proxy) => app.use('/api', express.Router().use('/ai', proxy))],
    'under nested apps': ['/a/b/c', (app, proxy) => app.use('/a', express().use('/b', express().use('/c', proxy)))],
    'at the root': ['', (app, proxy) => app.use(proxy)],
    'at several paths': ['/two', (app, proxy) => app.use(['/one', '/two'], proxy)],
    'with a parameter': ['/tenants/5/ai', (app, proxy) => app.use('/tenants/:id/ai', proxy)],
  }
  for (const [where, [url, mount]] of Object.entries(mounts)) {
    test(`${where}, at a target with a path prefix`, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
      const target = `${provider.url}/gateway/openai/`
      const app = await startApp(t, { target }, { mount: (app, proxy) => void mount(app, proxy) })
      const response = await post(`http://127.0.0.1:${app.port}${url}${openai.path}?a=1`, openai.request)
      assert.equal(response.status, 200)
      assert.equal((await provider.next()).url, `/gateway/openai${openai.path}?a=1`)
      assert.equal((await app.record()).path, openai.path)
    })
  }

  test('several middlewares in one app, each with its own target, key, limits and records', async (t) => {
    const one = await startProvider(t, { onCall: (call) => call.json(200, { provider: 1 }) })
    const two = await startProvider(t, { onCall: (call) => call.json(200, { provider: 2 }) })
    const other = aiProxy({
      target: two.url,
      auth: { headers: { 'x-api-key': 'two' } },
      limits: { maxRequestBytes: 20 },
      onFinish: (record) => others.push(record),
    })
    const others = new Queue<{ code?: string | undefined }>('a record of the other')
    t.after(() => other.close({ graceMs: 0 }))
    const options = { target: one.url, auth: { headers: { authorization: 'Bearer one' } } }
    const app = await startApp(t, options, { before: (app) => void app.use('/other', other) })
    const root = `http://127.0.0.1:${app.port}`
    assert.deepEqual(await (await post(`${root}/ai/v1/messages`, openai.request)).json(), { provider: 1 })
    assert.deepEqual(await (await post(`${root}/other/v1/messages`, { model: 'm' })).json(), { provider: 2 })
    assert.equal((await post(`${root}/other/v1/messages`, openai.request)).status, 413)
    assert.equal((await one.next()).headers['x-api-key'], undefined)
    assert.equal((await two.next()).headers.authorization, undefined)
    await app.record()
    assert.deepEqual([(await others.next()).code, (await others.next()).code], [undefined, 'request_too_large'])
    assert.deepEqual([app.records.length, others.all.length, two.calls.length], [1, 2, 1])
    await other.close()
    assert.equal((await post(`${root}/other/v1/messages`, { model: 'm' })).status, 503)
    assert.equal((await post(`${root}/ai/v1/messages`, { model: 'm' })).status, 200)
  })

  test('what stands behind it is not reached, what stands beside it is', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const after = (app: Express) => void app.use((_req, res) => void res.send('the app'))
    const app = await startApp(t, { target: provider.url }, { after })
    assert.equal((await fetch(`${app.url}/v1/nothing`)).status, 404)
    assert.equal(await (await fetch(`http://127.0.0.1:${app.port}/aim`)).text(), 'the app')
  })

  test('an app that answers by itself while the provider is silent', async (t) => {
    const provider = await startProvider(t)
    const requests = new Queue<express.Response>('the response in the app')
    const before = (app: Express) => {
      app.use((_req, res, next) => {
        requests.push(res)
        next()
      })
    }
    const app = await startApp(t, { target: provider.url }, { before })
    const answer = post(app.url + openai.path, openai.request)
    const call = await provider.next()
    const res = await requests.next()
    res.status(503).end('timed out')
    assert.equal(await (await answer).text(), 'timed out')
    await call.gone
    const record = await app.record()
    assert.equal(record.status, 503)
    assert.notEqual(record.outcome, 'completed')
  })

  test('an app that has begun to answer when the provider does', async (t) => {
    const provider = await startProvider(t)
    const requests = new Queue<express.Response>('the response in the app')
    const before = (app: Express) => {
      app.use((_req, res, next) => {
        requests.push(res)
        next()
      })
    }
    const app = await startApp(t, { target: provider.url }, { before })
    const client = (await connect(t, app.port)).post(path, openai.request)
    const call = await provider.next()
    const res = await requests.next()
    res.status(200).write('of the app')
    await client.sees('of the app')
    call.sse(['data: 1\n\n'])
    const record = await app.record()
    assert.equal(record.outcome, 'rejected')
    assert.equal(record.code, 'internal_error')
    await call.gone
    await client.end()
  })
})

describe('behind a proxy', () => {
  test('trust proxy and proxy.xfwd tell the provider who asks', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const before = (app: Express) => void app.set('trust proxy', 1)
    const app = await startApp(t, { target: provider.url, proxy: { xfwd: true } }, { before })
    const client = await connect(t, app.port)
    const headers = { 'x-forwarded-for': '6.6.6.6, 9.9.9.9', 'x-forwarded-proto': 'https' }
    client.request('GET', '/ai/v1/models', headers)
    const call = await provider.next()
    assert.equal(call.headers['x-forwarded-for'], '9.9.9.9')
    assert.equal(call.headers['x-forwarded-proto'], 'https')
    assert.equal(call.headers['x-forwarded-host'], 'app.test')
  })

  test('without trust proxy nobody can pretend to be somebody else', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url, proxy: { xfwd: true } })
    const client = await connect(t, app.port)
    client.request('GET', '/ai/v1/models', { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'https' })
    const call = await provider.next()
    assert.match(String(call.headers['x-forwarded-for']), /^(::ffff:)?127\.0\.0\.1$/)
    assert.equal(call.headers['x-forwarded-proto'], 'http')
  })

  test('changeOrigin', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url, proxy: { changeOrigin: false } })
    const client = await connect(t, app.port)
    client.request('GET', '/ai/v1/models')
    assert.equal((await provider.next()).headers.host, 'app.test')
  })

  test("an agent of the app's own", async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    const app = await startApp(t, { target: provider.url, proxy: { agent } })
    for (let n = 0; n < 3; n++) await (await post(app.url + openai.path, { model: 'm' })).text()
    assert.equal(provider.connections.length, 1)
    await app.proxy.close()
    assert.equal(Object.keys(agent.freeSockets).length, 1)
  })
})

describe('over HTTPS', () => {
  test('app and provider: a stream, one by one', async (t) => {
    const provider = await startProvider(t, { tls: true })
    const app = await startApp(t, { target: provider.url, proxy: { ssl: { ca: cert } } }, { tls: true })
    const agent = new https.Agent({ ca: cert })
    t.after(() => agent.destroy())
    const request = https.request(app.url + openai.path, { method: 'POST', agent, headers: json })
    request.end(JSON.stringify(openai.request))
    const answered = new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve))
    const call = (await provider.next()).sse()
    const response = await within(answered, 'the head')
    response.setEncoding('utf8')
    const received = new Queue<string>('an event')
    response.on('data', (text: string) => received.push(text))
    for (const event of openai.events) {
      call.send(event)
      assert.equal(await received.next(), event)
    }
    request.destroy()
    await call.gone
    assert.equal((await app.record()).outcome, 'client_disconnect')
  })

  for (const [what, proxy, status] of [
    ['a certificate that nobody vouches for is refused', {}, 502],
    ['unless secure is false', { secure: false }, 200],
    ['or its authority is known', { ssl: { ca: cert } }, 200],
  ] as const) {
    test(what, async (t) => {
      const provider = await startProvider(t, { tls: true, onCall: (call) => call.json(200, {}) })
      const auth = { headers: { authorization: 'Bearer secret' } }
      const app = await startApp(t, { target: provider.url, proxy, auth })
      const response = await post(app.url + openai.path, { model: 'm' })
      assert.equal(response.status, status)
      assert.equal(provider.calls.length, status === 200 ? 1 : 0)
      const record = await app.record()
      assert.equal(record.code, status === 200 ? undefined : 'upstream_unreachable')
    })
  }
})
