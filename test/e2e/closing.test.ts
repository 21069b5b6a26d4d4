import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ErrorRequestHandler, Express, Response as ServerResponse } from 'express'
import { type App, startApp } from './support/app.js'
import { connect, Events, post } from './support/client.js'
import { openai, protocols } from './support/protocols.js'
import { type Call, startProvider } from './support/provider.js'
import { Queue, within } from './support/waiting.js'

/** A grace that no test lives to see the end of. */
const LONG_MS = 3_600_000

describe('a stream that the client has seen the end of, and that the provider keeps open,', () => {
  for (const { name, path, request, events, terminator } of protocols) {
    for (const [what, end] of [
      ['abort(id)', ({ proxy }) => void proxy.abort(proxy.exchanges()[0]!.id)],
      ['close()', ({ proxy }) => void proxy.close({ graceMs: 0 })],
      ['more bytes than may pass', (_, call) => void call.send(`: ${'x'.repeat(5000)}\n\n`)],
    ] satisfies [string, (app: App, call: Call) => void][]) {
      test(`${name}: ends well if ${what} ends it`, async (t) => {
        const provider = await startProvider(t)
        const limits = { terminatorGraceMs: false, maxResponseBytes: 4000 } as const
        const app = await startApp(t, { target: provider.url, limits })
        const answer = post(app.url + path, request)
        const call = (await provider.next()).sse([...events, terminator])
        const received = new Events(await answer)
        for (const event of [...events, terminator]) assert.equal(await received.next(), event)
        end(app, call)
        assert.equal((await received.rest()).filter((event) => !event.startsWith(':')).length, 0)
        const { outcome, code } = await app.record()
        assert.deepEqual([outcome, code], ['completed', undefined])
        await call.gone
      })
    }
  }
})

describe('a client that leaves right after the end of the stream', () => {
  for (const { name, path, request, events, terminator } of protocols) {
    for (const onClientDisconnect of ['abort', 'drain'] as const) {
      test(`${name}, '${onClientDisconnect}': is recorded as completed, even if the provider keeps the connection open`, async (t) => {
        const provider = await startProvider(t)
        const app = await startApp(t, { target: provider.url, onClientDisconnect })
        const client = (await connect(t, app.port)).post(`/ai${path}`, request)
        const call = (await provider.next()).sse([events[0], terminator])
        await client.sees(terminator)
        client.leave()
        const { outcome, code, status, events: passed } = await app.record()
        assert.deepEqual(
          { outcome, code, status, passed },
          { outcome: 'completed', code: undefined, status: 200, passed: 2 },
        )
        await call.gone
        assert.deepEqual(app.proxy.exchanges(), [])
      })
    }

    test(`${name}: is recorded as client_disconnect if it leaves earlier`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const client = (await connect(t, app.port)).post(`/ai${path}`, request)
      const call = (await provider.next()).sse([events[0]])
      await client.sees(events[0])
      client.leave()
      assert.equal((await app.record()).outcome, 'client_disconnect')
      await call.gone
    })
  }
})

describe('close()', () => {
  test('with a long grace, then with none: ends all exchanges at once, and both calls resolve', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const answer = post(app.url + openai.path, openai.request)
    const streaming = (await provider.next()).sse(['data: 1\n\n'])
    const events = new Events(await answer)
    await events.next()
    const waiting = post(app.url + openai.path, { model: 'm' })
    const silent = await provider.next()

    let isClosed = false
    const patient = app.proxy.close({ graceMs: LONG_MS }).then(() => {
      isClosed = true
    })
    streaming.send('data: 2\n\n')
    assert.equal(await events.next(), 'data: 2\n\n')
    assert.equal(isClosed, false)
    assert.equal(app.proxy.exchanges().length, 2)

    const hasty = app.proxy.close({ graceMs: 0 })
    const rest = await events.rest()
    assert.equal(rest.length, 1)
    assert.equal(openai.errorInEvent(rest[0]).code, 'shutting_down')
    const refused = await within(waiting, 'the refusal')
    assert.equal(refused.status, 503)
    assert.equal(openai.errorIn(await refused.json()).code, 'shutting_down')
    await within(Promise.all([patient, hasty]), 'both')
    await streaming.gone
    await silent.gone
    for (const { outcome } of [await app.record(), await app.record()]) assert.equal(outcome, 'shutdown')
    assert.deepEqual(app.proxy.exchanges(), [])
  })

  test('with none, then with a long grace: the short grace remains', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const answer = post(app.url + openai.path, openai.request)
    ;(await provider.next()).sse(['data: 1\n\n'])
    const events = new Events(await answer)
    await events.next()
    const both = [app.proxy.close({ graceMs: 0 }), app.proxy.close({ graceMs: LONG_MS })]
    assert.equal(openai.errorInEvent((await events.rest())[0]).code, 'shutting_down')
    await within(Promise.all(both), 'both')
  })

  test('rejects new requests meanwhile, without waiting for their answers', async (t) => {
    const held = new Queue<ServerResponse>('a refusal')
    // An app that takes its time over an error page.
    const handler: ErrorRequestHandler = (error, _req, res, _next) => {
      held.push(res.status(error.status))
    }
    const after = (app: Express) => void app.use(handler)
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, errors: 'next' }, { after })
    const answer = post(app.url + openai.path, openai.request)
    const call = (await provider.next()).sse(['data: 1\n\n'])
    const events = new Events(await answer)
    await events.next()

    const closing = app.proxy.close({ graceMs: LONG_MS })
    const refusals = [
      post(app.url + openai.path, openai.request),
      post(app.url + openai.path, { model: 'm' }),
      post(`${app.url}/v1/files`, {}),
    ]
    const responses = [await held.next(), await held.next(), await held.next()]
    call.end('data: [DONE]\n\n')
    assert.deepEqual(await events.rest(), ['data: [DONE]\n\n'])
    await within(closing, 'close()')
    assert.equal((await app.record()).outcome, 'completed')
    assert.equal(app.records.length, 1)

    for (const res of responses) res.end('closing')
    for (const refusal of refusals) {
      const refused = await within(refusal, 'a refusal')
      assert.equal(refused.status, 503)
      assert.equal(await refused.text(), 'closing')
    }
    for (const _ of refusals) {
      const { outcome, code, status } = await app.record()
      assert.deepEqual({ outcome, code, status }, { outcome: 'shutdown', code: 'shutting_down', status: 503 })
    }
    assert.equal(provider.calls.length, 1)
  })

  test('rejects a request whose body has not arrived, without waiting for the body', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const answer = post(app.url + openai.path, openai.request)
    const call = (await provider.next()).sse(['data: 1\n\n'])
    const events = new Events(await answer)
    await events.next()
    const closing = app.proxy.close({ graceMs: LONG_MS })
    const late = await connect(t, app.port)
    late.request('POST', `/ai${openai.path}`, { 'content-type': 'application/json', 'content-length': '99' }).write('{')
    const refused = await late.sees(/\r\n\r\n.*\}/)
    assert.match(refused, /^HTTP\/1\.1 503 [\s\S]*\r\nretry-after: \d+\r\n/i)
    assert.equal(openai.errorIn(JSON.parse(refused.split('\r\n\r\n')[1]!)).code, 'shutting_down')
    call.end()
    await events.rest()
    await within(closing, 'close()')
  })
})
