import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { connect, Events, post } from '../support/client.js'
import { anthropic, openai } from '../support/protocols.js'
import type { Owner } from '../support/provider.js'
import { signIn, startLegacyApp } from './running.js'

/** Spelled as `JSON.stringify` never would: what arrives shows who has written it. */
const spelled = '{ "model":"m", "stream":false, "n":1.0, "messages":[{"content":"é👋"}] }'
const json = { 'content-type': 'application/json' }
const routes = { openai: `/ai/openai${openai.path}`, claude: `/ai/claude${anthropic.path}` }

/** The app, and somebody who has signed in. */
async function start(t: Owner) {
  const app = await startLegacyApp(t)
  const cookie = await signIn(app.url)
  const ask = (route: keyof typeof routes, body: unknown, headers: Record<string, string> = {}) =>
    post(app.url + routes[route], body, { headers: { cookie, ...headers } })
  return { app, cookie, ask }
}

describe('in an app that has been in production for years', () => {
  test('events arrive one by one, with the headers of its middlewares', async (t) => {
    const { app, ask } = await start(t)
    const answer = ask('openai', openai.request, { origin: 'http://a.test', 'accept-encoding': 'gzip, br' })
    const call = (await app.openai.next()).sse([], { 'set-cookie': 'provider=1', 'access-control-allow-origin': '*' })
    const response = await answer
    assert.equal(response.headers.get('access-control-allow-origin'), 'http://a.test')
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
    assert.equal(response.headers.get('content-encoding'), null)
    const names = response.headers.getSetCookie().map((cookie) => cookie.split('=', 1)[0])
    assert.deepEqual(names, ['session', 'session.sig'])
    const events = new Events(response)
    for (const event of [...openai.events, openai.terminator]) {
      call.send(event)
      assert.equal(await events.next(), event)
    }
    call.end()
    assert.equal(await events.next(), undefined)
    assert.equal((await app.records.next()).outcome, 'completed')
  })

  test('a large non-streaming answer is compressed and arrives whole', async (t) => {
    const { app, ask } = await start(t)
    const answer = ask('claude', { model: 'm' }, { 'accept-encoding': 'gzip' })
    const words = { content: Array.from({ length: 20_000 }, (_, n) => `word ${n}`) }
    ;(await app.claude.next()).json(200, words)
    const response = await answer
    assert.equal(response.headers.get('content-encoding'), 'gzip')
    assert.deepEqual(await response.json(), words)
    assert.equal((await app.records.next()).outcome, 'completed')
  })

  const sent = { openai: spelled, claude: JSON.stringify(JSON.parse(spelled)) }
  for (const route of ['openai', 'claude'] as const) {
    const what = route === 'openai' ? 'where verify() kept it, byte for byte' : 'elsewhere what it says'
    test(`a body that body-parser has consumed reaches the provider: ${what}`, async (t) => {
      const { app, cookie } = await start(t)
      const answer = fetch(app.url + routes[route], { method: 'POST', headers: { ...json, cookie }, body: spelled })
      const call = await app[route].next()
      assert.equal(Buffer.from(await call.text, 'latin1').toString(), sent[route])
      assert.equal(call.headers['content-length'], String(Buffer.byteLength(sent[route])))
      call.json(200, {})
      assert.equal((await answer).status, 200)
      assert.equal((await app.records.next()).model, 'm')
    })
  }

  test('an upload waits for a slow sign-in, and is forwarded byte for byte', async (t) => {
    const { app } = await start(t)
    const cookie = await signIn(app.url, 'slow')
    const body = `--b\r\ncontent-disposition: form-data; name="file"\r\n\r\n${'\x00\xff'.repeat(100_000)}\r\n--b--\r\n`
    const headers = { cookie, 'content-type': 'multipart/form-data; boundary=b' }
    const client = await connect(t, app.port)
    client.request('POST', '/ai/openai/v1/audio/transcriptions', headers, body)
    const question = await app.users.next()
    assert.equal(app.openai.calls.length, 0)
    question.json(200, { name: 'Slow' })
    const call = await app.openai.next()
    assert.ok((await call.text) === body)
    assert.equal(call.headers['content-type'], headers['content-type'])
    call.json(200, {})
    await client.sees('HTTP/1.1 200')
  })

  test('a client that is not signed in gets 401, and its request never reaches a provider', async (t) => {
    const { app, cookie } = await start(t)
    const forged = cookie.replace(/session=[^;]*/, `session=${btoa('{"user":"slow"}')}`)
    for (const cookie of ['', await signIn(app.url, 'nobody'), forged]) {
      const response = await post(app.url + routes.openai, openai.request, { headers: { cookie } })
      assert.equal(response.status, 401)
      assert.deepEqual(await response.json(), { problem: 'sign in first' })
    }
    assert.equal(app.openai.connections.length, 0)
    const [stats] = await app.stats()
    assert.equal(stats?.exchanges, 0)
  })

  test("the client's cookies and credentials do not reach the provider", async (t) => {
    const { app, ask } = await start(t)
    const answer = ask('openai', { model: 'm' }, { authorization: 'Bearer of-the-client', 'x-api-key': 'also' })
    const call = await app.openai.next()
    assert.equal(call.headers.cookie, undefined)
    assert.equal(call.headers['x-api-key'], undefined)
    assert.equal(call.headers.authorization, 'Bearer sk-of-the-app')
    assert.ok(!call.req.rawHeaders.join().includes('session'))
    call.json(200, {})
    await answer
  })

  test('two routes work at once, each with its own provider and its own key', async (t) => {
    const { app, ask } = await start(t)
    const asked = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? ('openai' as const) : ('claude' as const)))
    const answers = asked.map(async (route, n) => [route, n, await (await ask(route, { model: `m${n}` })).json()])
    for (const _ of Array.from({ length: 10 })) {
      for (const [route, path] of [['openai', openai.path] as const, ['claude', anthropic.path] as const]) {
        const call = await app[route].next()
        assert.equal(call.url, path)
        assert.equal(call.headers.authorization, route === 'openai' ? 'Bearer sk-of-the-app' : undefined)
        assert.equal(call.headers['x-api-key'], route === 'claude' ? 'sk-ant-of-the-app' : undefined)
        call.json(200, { by: route, to: JSON.parse(await call.text).model })
      }
    }
    for (const [route, n, said] of await Promise.all(answers)) assert.deepEqual(said, { by: route, to: `m${n}` })
  })
})

describe('failures in such an app', () => {
  test("go to the app's error handler before the first byte if errors is 'next'", async (t) => {
    const { app, ask } = await start(t)
    const tooLarge = await ask('openai', { model: 'm', input: 'x'.repeat(600_000) })
    assert.equal(tooLarge.status, 413)
    assert.deepEqual(await tooLarge.json(), { problem: 'request_too_large', path: routes.openai })
    const broken = ask('openai', openai.request)
    ;(await app.openai.next()).reset()
    assert.deepEqual(await (await broken).json(), { problem: 'upstream_reset', path: routes.openai })
    const elsewhere = ask('claude', anthropic.request)
    ;(await app.claude.next()).reset()
    assert.equal(anthropic.errorIn(await (await elsewhere).json()).code, 'upstream_reset')
    const codes = [await app.records.next(), await app.records.next(), await app.records.next()].map(({ code }) => code)
    assert.deepEqual(codes, ['request_too_large', 'upstream_reset', 'upstream_reset'])
  })

  test("become an error event in the client's protocol within a stream", async (t) => {
    const { app, ask } = await start(t)
    for (const [route, protocol] of [['openai', openai] as const, ['claude', anthropic] as const]) {
      const answer = ask(route, protocol.request)
      const call = (await app[route].next()).sse([protocol.events[0]])
      const events = new Events(await answer)
      assert.equal(await events.next(), protocol.events[0])
      call.res.write('data: half', () => call.reset())
      const rest = await events.rest()
      assert.equal(protocol.errorInEvent(rest[0]).code, 'upstream_reset')
      assert.equal(rest.length, 1)
      assert.equal((await app.records.next()).outcome, 'upstream_error')
    }
  })

  test('of body-parser never reach the proxy', async (t) => {
    const { app, cookie } = await start(t)
    const headers = { ...json, cookie }
    const response = await fetch(app.url + routes.openai, { method: 'POST', headers, body: '{"model":' })
    assert.equal(response.status, 400)
    assert.equal((await app.stats())[0]?.exchanges, 0)
  })

  test('a client that leaves stops the provider', async (t) => {
    const { app, cookie } = await start(t)
    const client = await connect(t, app.port)
    client.request('POST', routes.openai, { ...json, cookie }, JSON.stringify(openai.request))
    const call = (await app.openai.next()).sse([openai.events[0]])
    await client.sees('Hel')
    client.leave()
    await call.gone
    assert.equal((await app.records.next()).outcome, 'client_disconnect')
  })

  test('a client that leaves during a slow sign-in causes no request to the provider', async (t) => {
    const { app } = await start(t)
    const cookie = await signIn(app.url, 'slow')
    const client = await connect(t, app.port)
    client.request('POST', routes.openai, { ...json, cookie }, JSON.stringify(openai.request))
    const question = await app.users.next()
    client.leave()
    // morgan writes its line when the connection is gone: the app knows.
    for (let line = ''; !line.includes(routes.openai); ) line = await app.logs.next()
    question.json(200, { name: 'Slow' })
    assert.equal((await app.records.next()).outcome, 'client_disconnect')
    assert.equal(app.openai.connections.length, 0)
  })
})
