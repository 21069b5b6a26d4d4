import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import compression from 'compression'
import cors from 'cors'
import type { Express } from 'express'
import helmet from 'helmet'
import morgan from 'morgan'
import { startApp } from './support/app.js'
import { connect, Events, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { within } from './support/waiting.js'

const path = `/ai${openai.path}`
const json = { 'content-type': 'application/json' }

describe('after compression(), helmet(), cors() and morgan()', () => {
  const mountAll = (app: Express) => {
    app.use(morgan('tiny', { stream: { write: () => {} } }), compression({ threshold: 0 }), helmet(), cors())
  }
  test('events arrive one by one', async (t) => {
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
    call.end(openai.terminator)
    assert.equal(await events.next(), openai.terminator)
    assert.equal(await events.next(), undefined)
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('events arrive one by one even if the app compresses despite no-transform', async (t) => {
    const provider = await startProvider(t)
    // A middleware of the app takes the directive away again, so that compression() does its work.
    const before = (app: Express) => {
      app.use(compression({ threshold: 0 }), (_req, res, next) => {
        const set = res.setHeader.bind(res)
        res.setHeader = (name, value) => set(name, name === 'cache-control' ? 'no-cache' : value)
        next()
      })
    }
    const app = await startApp(t, { target: provider.url, heartbeat: { everyMs: 20 } }, { before })
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
    call.end(openai.terminator)
    await events.rest()
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('events arrive one by one even if a middleware after compression() wraps write() and returns nothing', async (t) => {
    const provider = await startProvider(t)
    const before = (app: Express) => {
      app.use(compression({ threshold: 0 }), (_req, res, next) => {
        const { write } = res
        res.write = function (this: typeof res, ...given: unknown[]) {
          void Reflect.apply(write, this, given)
        } as unknown as typeof write
        next()
      })
    }
    const app = await startApp(t, { target: provider.url }, { before })
    const answer = post(app.url + openai.path, openai.request, { headers: { 'accept-encoding': 'gzip' } })
    const call = (await provider.next()).sse()
    const events = new Events(await within(answer, 'the head'))
    for (const event of openai.events) {
      call.send(event)
      assert.equal(await events.next(), event)
    }
    call.end(openai.terminator)
    assert.deepEqual(await events.rest(), [openai.terminator])
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('a large compressed answer arrives whole at a slow client, without excess listeners', async (t) => {
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

  test('error events work as without them', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { idleTimeoutMs: 30 } }, { before: mountAll })
    const answer = post(app.url + openai.path, openai.request)
    ;(await provider.next()).sse(['data: 1\n\n'])
    const events = await new Events(await answer).rest()
    assert.equal(openai.errorInEvent(events[1]).code, 'idle_timeout')
  })

  test('disconnects are noticed as without them', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url }, { before: mountAll })
    const client = (await connect(t, app.port)).post(path, openai.request)
    const call = (await provider.next()).sse(['data: 1\n\n'])
    await client.sees('data: 1\n\n')
    client.leave()
    await call.gone
    assert.equal((await app.record()).outcome, 'client_disconnect')
  })

  test("cors() answers a browser's OPTIONS", async (t) => {
    const app = await startApp(t, { target: 'http://127.0.0.1:9' }, { before: mountAll })
    const headers = { origin: 'http://a.test', 'access-control-request-method': 'POST' }
    const response = await fetch(app.url + openai.path, { method: 'OPTIONS', headers })
    assert.equal(response.status, 204)
    assert.match(response.headers.get('access-control-allow-methods') ?? '', /POST/)
  })
})
