import assert from 'node:assert/strict'
import http from 'node:http'
import https from 'node:https'
import { describe, test } from 'node:test'
import express, { type Express } from 'express'
import { aiProxy } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { cert } from './support/certificate.js'
import { connect, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { Queue, within } from './support/waiting.js'

const path = `/ai${openai.path}`
const json = { 'content-type': 'application/json' }

describe('mounted', () => {
  const mounts: Record<string, [url: string, mount: (app: Express, proxy: express.RequestHandler) => unknown]> = {
    'in a Router': ['/api/ai', (app, proxy) => app.use('/api', express.Router().use('/ai', proxy))],
    'under nested apps': ['/a/b/c', (app, proxy) => app.use('/a', express().use('/b', express().use('/c', proxy)))],
    'at the root': ['', (app, proxy) => app.use(proxy)],
    'at several paths': ['/two', (app, proxy) => app.use(['/one', '/two'], proxy)],
    'with a parameter': ['/tenants/5/ai', (app, proxy) => app.use('/tenants/:id/ai', proxy)],
  }
  for (const [where, [url, mount]] of Object.entries(mounts)) {
    test(`${where}, with a target that has a path prefix`, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
      const target = `${provider.url}/gateway/openai/`
      const app = await startApp(t, { target }, { mount: (app, proxy) => void mount(app, proxy) })
      const response = await post(`http://127.0.0.1:${app.port}${url}${openai.path}?a=1`, openai.request)
      assert.equal(response.status, 200)
      assert.equal((await provider.next()).url, `/gateway/openai${openai.path}?a=1`)
      assert.equal((await app.record()).path, openai.path)
    })
  }

  test('several middlewares share an app, each with its own target, key, limits and records', async (t) => {
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

  test('handlers after it are not reached for its paths, and are for others', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const after = (app: Express) => void app.use((_req, res) => void res.send('the app'))
    const app = await startApp(t, { target: provider.url }, { after })
    assert.equal((await fetch(`${app.url}/v1/nothing`)).status, 404)
    assert.equal(await (await fetch(`http://127.0.0.1:${app.port}/aim`)).text(), 'the app')
  })

  test('the exchange ends if the app answers by itself while the provider is silent', async (t) => {
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

  test('the connection is cut if the app has begun to answer when the provider does', async (t) => {
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
    // Nothing of ours is mixed into what is the app's, and nobody takes it for whole.
    assert.match(await client.end(), /of the app\r\n$/)
  })
})

describe('behind a proxy', () => {
  test("trust proxy and proxy.xfwd forward the client's address to the provider", async (t) => {
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

  test('without trust proxy no client can spoof its address', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url, proxy: { xfwd: true } })
    const client = await connect(t, app.port)
    client.request('GET', '/ai/v1/models', { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'https' })
    const call = await provider.next()
    assert.match(String(call.headers['x-forwarded-for']), /^(::ffff:)?127\.0\.0\.1$/)
    assert.equal(call.headers['x-forwarded-proto'], 'http')
  })

  test("changeOrigin: false forwards the client's Host", async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url, proxy: { changeOrigin: false } })
    const client = await connect(t, app.port)
    client.request('GET', '/ai/v1/models')
    assert.equal((await provider.next()).headers.host, 'app.test')
  })

  test('a custom agent is used, and is not closed with the middleware', async (t) => {
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
  test('a stream passes event by event between an HTTPS client and an HTTPS provider', async (t) => {
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
    ['an untrusted certificate is rejected', {}, 502],
    ['an untrusted certificate is accepted if secure is false', { secure: false }, 200],
    ['a certificate is accepted if its CA is given', { ssl: { ca: cert } }, 200],
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
