import assert from 'node:assert/strict'
import http from 'node:http'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type App, startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, type Owner, type Provider, startProvider } from './support/provider.js'
import { within } from './support/waiting.js'

/** An app that has a connection to its provider in the pool. */
async function startPooled(t: Owner): Promise<{ provider: Provider; app: App; first: Call }> {
  const provider = await startProvider(t)
  const app = await startApp(t, { target: provider.url, endpoints: ['chat/completions', 'audio/*'] })
  const answer = post(app.url + openai.path, { model: 'm' })
  const first = await provider.next()
  first.json(200, {})
  await (await answer).text()
  await app.record()
  return { provider, app, first }
}

async function assertReset(answer: Promise<Response>, app: App): Promise<void> {
  const response = await within(answer, 'the answer')
  assert.equal(response.status, 502)
  assert.equal(openai.errorIn(await response.json()).code, 'upstream_reset')
  const { outcome, code } = await app.record()
  assert.deepEqual({ outcome, code }, { outcome: 'upstream_error', code: 'upstream_reset' })
}

describe('a request on a connection from the pool', () => {
  const breaks = {
    resets: (call: Call) => call.reset(),
    closes: (call: Call) => call.socket.end(),
  }
  for (const [what, act] of Object.entries(breaks)) {
    for (const request of [openai.request, { model: 'm' }]) {
      const asked = 'stream' in request ? 'a stream' : 'JSON'
      test(`that the provider ${what} at once is retried on a new one, for ${asked}`, async (t) => {
        const { provider, app, first } = await startPooled(t)
        const answer = post(app.url + openai.path, request)
        const stale = await provider.next()
        assert.equal(stale.socket, first.socket)
        act(stale)
        const fresh = await provider.next()
        assert.notEqual(fresh.socket, first.socket)
        const usage = 'stream' in request ? '"stream_options":{"include_usage":true},' : ''
        assert.equal(await fresh.text, `{${usage}${JSON.stringify(request).slice(1)}`)
        if ('stream' in request) fresh.sse(['data: 1\n\n']).end()
        else fresh.json(200, { ok: 1 })
        const response = await within(answer, 'the answer')
        assert.equal(response.status, 200)
        assert.equal(await response.text(), 'stream' in request ? 'data: 1\n\n' : '{"ok":1}')
        const record = await app.record()
        assert.deepEqual([record.outcome, record.code], ['completed', undefined])
        assert.equal(record.requestBytes, JSON.stringify(request).length)
        assert.equal(provider.calls.length, 3)
        assert.equal(provider.connections.length, 2)
      })
    }
  }

  for (const [name, proxy] of [
    ['our agent', undefined],
    ["the app's agent", { agent: new http.Agent({ keepAlive: true }) }],
  ] as const) {
    test(`is retried on a new connection if all others in the pool are dead, with ${name}`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, ...(proxy && { proxy }) })
      const send = async (): Promise<unknown> => (await post(app.url + openai.path, { model: 'm' })).json()
      const answers = [send(), send(), send()]
      const pooled = [await provider.next(), await provider.next(), await provider.next()]
      for (const call of pooled) call.json(200, {})
      await Promise.all(answers)
      for (const _ of pooled) await app.record()

      const answer = send()
      const stale = await provider.next()
      assert.ok(pooled.some(({ socket }) => socket === stale.socket))
      stale.reset()
      const fresh = await provider.next()
      assert.ok(pooled.every(({ socket }) => socket !== fresh.socket))
      fresh.json(200, { ok: 1 })
      assert.deepEqual(await within(answer, 'the answer'), { ok: 1 })
      assert.deepEqual([provider.calls.length, provider.connections.length], [5, 4])
    })
  }

  test('is retried only once', async (t) => {
    const { provider, app, first } = await startPooled(t)
    const answer = post(app.url + openai.path, openai.request)
    const stale = await provider.next()
    assert.equal(stale.socket, first.socket)
    stale.reset()
    ;(await provider.next()).reset()
    await assertReset(answer, app)
    assert.equal(provider.calls.length, 3)
  })

  test('is not retried if its body streams through unbuffered', async (t) => {
    const { provider, app, first } = await startPooled(t)
    const client = await connect(t, app.port)
    client.request('POST', '/ai/v1/audio/transcriptions', { 'content-type': 'audio/wav' }, 'x'.repeat(1000))
    const call = await provider.next()
    assert.equal(call.socket, first.socket)
    call.reset()
    await client.sees(' 502 ')
    const { outcome, code } = await app.record()
    assert.deepEqual({ outcome, code }, { outcome: 'upstream_error', code: 'upstream_reset' })
    assert.equal(provider.calls.length, 2)
  })

  test('is not retried if the provider read it, and reset the connection later', async (t) => {
    const { provider, app, first } = await startPooled(t)
    const answer = post(app.url + openai.path, openai.request)
    const call = await provider.next()
    assert.equal(call.socket, first.socket)
    await call.text
    // Longer than a connection takes to turn out dead.
    await wait(150)
    call.reset()
    await assertReset(answer, app)
    assert.equal(provider.calls.length, 2)
    assert.equal(provider.connections.length, 1)
  })

  const nonsense = {
    'the beginning of an answer, and closes the connection': (call: Call) => call.raw('HTTP/1.1 2').socket.end(),
    'bytes that are not HTTP': (call: Call) => call.raw('?!\r\n\r\n'),
    'bytes that are not HTTP, and closes the connection': (call: Call) => call.raw('220 hi\r\n').socket.end(),
  }
  for (const [what, act] of Object.entries(nonsense)) {
    test(`is not retried if the provider sends ${what}`, async (t) => {
      const { provider, app, first } = await startPooled(t)
      const answer = post(app.url + openai.path, openai.request)
      const call = await provider.next()
      assert.equal(call.socket, first.socket)
      act(call)
      await assertReset(answer, app)
      assert.equal(provider.calls.length, 2)
      assert.equal(provider.connections.length, 1)
    })
  }
})

test('a request on a new connection is not retried, however soon the connection breaks', async (t) => {
  const provider = await startProvider(t)
  const app = await startApp(t, { target: provider.url })
  const answer = post(app.url + openai.path, openai.request)
  ;(await provider.next()).reset()
  await assertReset(answer, app)
  assert.equal(provider.calls.length, 1)
})
