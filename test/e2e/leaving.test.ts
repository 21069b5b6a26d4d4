import assert from 'node:assert/strict'
import http from 'node:http'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Request } from 'express'
import { sharedTurns } from '../../lib/scheduling/turns.js'
import { type App, startApp } from './support/app.js'
import { connect, type RawClient } from './support/client.js'
import { assertLeft, inPhase } from './support/disconnect.js'
import { openai } from './support/protocols.js'
import { type Owner, startProvider } from './support/provider.js'
import { startSilentTls } from './support/silent-tls.js'
import { closed, Queue, until } from './support/waiting.js'

const path = `/ai${openai.path}`
const body = JSON.stringify(openai.request)
const json = { 'content-type': 'application/json' }
const flood = `data: ${'x'.repeat(64_000)}\n\n`

/** How a client's connection can go. */
const departures: Record<string, (client: RawClient) => unknown> = {
  'closes its connection': (client) => client.leave(),
  'resets it': (client) => client.socket.resetAndDestroy(),
  'ends it': (client) => client.socket.end(),
}

/** Another client is served: on a connection of its own, for the one before must not be used again. */
async function assertNextIsServed(t: Owner, app: App, provider: Awaited<ReturnType<typeof startProvider>>) {
  const before = provider.connections.length
  const client = (await connect(t, app.port)).post(path, openai.request)
  const call = await provider.next()
  call.sse().end('data: fresh\n\n')
  await client.sees('data: fresh\n\n')
  assert.equal((await app.record()).outcome, 'completed')
  assert.equal(provider.connections.length, before + 1)
}

for (const [how, leave] of Object.entries(departures)) {
  describe(`the client ${how}`, () => {
    test('while it uploads JSON', async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const client = await connect(t, app.port)
      client.request('POST', path, { ...json, 'content-length': String(body.length) }).write(body.slice(0, 20))
      await inPhase(app, 'receiving')
      leave(client)
      await assertLeft(app, { status: undefined, firstByteMs: undefined, upstreamBytes: 0 })
      assert.equal(provider.connections.length, 0)
    })

    test('while it uploads a body that streams through', async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, endpoints: ['audio/transcriptions'] })
      const client = await connect(t, app.port)
      const headers = { 'content-type': 'multipart/form-data; boundary=b', 'content-length': '1000' }
      client.request('POST', '/ai/v1/audio/transcriptions', headers).write('--b\r\n')
      const call = await provider.next()
      await until(() => call.received === '--b\r\n', 'the first part is at the provider')
      leave(client)
      await call.gone
      await assert.rejects(call.body)
      await assertLeft(app, { requestBytes: 5, status: undefined })
    })

    test('while its request waits for a turn: nothing goes to the provider', async (t) => {
      const provider = await startProvider(t)
      let hasLeft = false
      // So many others are before it, each for a round of the event loop, until the client has left.
      const other = {
        runTurn: () => {
          for (const end = performance.now() + 1; !hasLeft && performance.now() < end; );
        },
        onTurnEnd: () => {},
      }
      const onRequest = (_: unknown, { req }: { req: Request }) => {
        for (let n = 0; n < 2000; n++) sharedTurns().enqueue(other)
        req.socket.once('close', () => {
          hasLeft = true
        })
        leave(client)
      }
      const app = await startApp(t, { target: provider.url, onRequest })
      const client = (await connect(t, app.port)).post(path, openai.request)
      await assertLeft(app, { status: undefined, requestBytes: body.length })
      assert.equal(hasLeft, true)
      assert.equal(provider.connections.length, 0)
    })

    test('while the proxy connects to the provider', async (t) => {
      const provider = await startSilentTls(t)
      const app = await startApp(t, { target: provider.url })
      const client = (await connect(t, app.port)).post(path, openai.request)
      const connection = await provider.next()
      await inPhase(app, 'connecting')
      leave(client)
      await closed(connection, "the provider's half-made connection")
      await assertLeft(app, { status: undefined, requestBytes: body.length })
    })

    test('while its request waits for a free connection', async (t) => {
      const provider = await startProvider(t)
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      t.after(() => agent.destroy())
      const app = await startApp(t, { target: provider.url, proxy: { agent } })
      const first = (await connect(t, app.port)).post(path, openai.request)
      const call = (await provider.next()).sse(['data: 1\n\n'])
      await first.sees('data: 1\n\n')
      const client = (await connect(t, app.port)).post(path, openai.request)
      await inPhase(app, 'connecting')
      leave(client)
      const { outcome } = await app.record()
      assert.equal(outcome, 'client_disconnect')
      call.end()
      await app.record()
      const third = (await connect(t, app.port)).post(path, { ...openai.request, model: 'third' })
      const next = await provider.next()
      assert.match(await next.text, /third/)
      next.sse().end('data: 3\n\n')
      await third.sees('data: 3\n\n')
    })

    test('while the provider has not yet answered', async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const client = (await connect(t, app.port)).post(path, openai.request)
      const call = await provider.next()
      await inPhase(app, 'waiting')
      leave(client)
      await call.gone
      await assertLeft(app, { status: undefined, firstByteMs: undefined, requestBytes: body.length, events: 0 })
      await assertNextIsServed(t, app, provider)
    })

    test('while it gets heartbeats before the first byte', async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, heartbeat: { everyMs: 5, beforeFirstByte: true } })
      const client = (await connect(t, app.port)).post(path, openai.request)
      const call = await provider.next()
      await client.sees(/: .*\n\n[\s\S]*: .*\n\n/)
      leave(client)
      await call.gone
      const record = await assertLeft(app, { status: 200, events: 0 })
      assert.ok(record.downstreamBytes > 0)
    })

    test('while events arrive', async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const client = (await connect(t, app.port)).post(path, openai.request)
      const call = (await provider.next()).sse(openai.events)
      await client.sees(openai.events.at(-1)!)
      await inPhase(app, 'streaming')
      leave(client)
      await call.gone
      const bytes = openai.events.join('').length
      await assertLeft(app, { status: 200, events: 3, downstreamBytes: bytes, upstreamBytes: bytes })
      await assertNextIsServed(t, app, provider)
    })

    test('while the last bytes are being sent', async (t) => {
      const provider = await startProvider(t)
      // The app's own answer is written at once, and is more than what the kernel takes on its way.
      const app = await startApp(t, { target: provider.url, onRequest: () => ({ body: 'x'.repeat(7 << 20) }) })
      const client = (await connect(t, app.port)).pause().post(path, openai.request)
      await inPhase(app, 'ending')
      leave(client)
      if (how === 'ends it') client.socket.destroy()
      await assertLeft(app, { status: 200, events: 0 })
    })

    test('while compressed events arrive', async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const client = (await connect(t, app.port)).post(path, openai.request)
      const call = (await provider.next()).sse([], { 'content-encoding': 'gzip' })
      call.send(gzipSync('data: 1\n\n').subarray(0, -4))
      await client.sees('data: 1\n\n')
      leave(client)
      await call.gone
      await assertLeft(app, { status: 200, events: 1 })
    })

    test('while a non-streaming answer arrives', async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const client = (await connect(t, app.port)).post(path, { model: 'm' })
      const call = await provider.next()
      call.res.writeHead(200, { ...json, 'content-length': 1000 }).write('{"text":')
      await client.sees('{"text":')
      leave(client)
      await call.gone
      await assertLeft(app, { status: 200, downstreamBytes: 8, stream: false })
      await assertNextIsServed(t, app, provider)
    })
  })
}

describe('the client leaves', () => {
  for (const [what, type] of [
    ['a flood of events', 'text/event-stream'],
    ['a large answer', 'application/octet-stream'],
  ] as const) {
    test(`while ${what} is blocked because it does not read`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const client = (await connect(t, app.port)).pause().post(path, openai.request)
      const call = await provider.next()
      call.res.writeHead(200, { 'content-type': type })
      void call.flood(flood)
      await inPhase(app, 'stalled')
      assert.equal(app.proxy.stats().waitingForDrain, 1)
      client.leave()
      await call.gone
      const record = await assertLeft(app, { status: 200 })
      assert.ok(record.downstreamBytes > 0 && record.upstreamBytes >= record.downstreamBytes)
      assert.equal(app.proxy.stats().waitingForDrain, 0)
      await assertNextIsServed(t, app, provider)
    })
  }

  test('while it uploads JSON: the bytes received so far are counted', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    client.request('POST', path, { ...json, 'content-length': String(body.length) }).write(body.slice(0, 20))
    await inPhase(app, 'receiving')
    client.leave()
    await assertLeft(app, { requestBytes: 20 })
  })

  test('before the request reaches the middleware, while the app still authenticates it', async (t) => {
    const provider = await startProvider(t)
    let letIn = () => {}
    const asked = new Promise<void>((resolve) => {
      letIn = resolve
    })
    const waiting = new Queue<http.IncomingMessage>('the request in the app')
    const app = await startApp(
      t,
      { target: provider.url },
      {
        before: (app) => {
          app.use((req, _res, next) => {
            waiting.push(req)
            void asked.then(() => next())
          })
        },
      },
    )
    const client = (await connect(t, app.port)).post(path, openai.request)
    const req = await waiting.next()
    client.leave()
    await closed(req.socket, "the client's connection, in the app")
    letIn()
    await assertLeft(app, { status: undefined })
    assert.equal(provider.calls.length, 0)
  })

  test('while credentials are fetched', async (t) => {
    const provider = await startProvider(t)
    const asked = new Queue<(key: string) => void>('the question for the key')
    const authorization = () => new Promise<string>((resolve) => asked.push(resolve))
    const app = await startApp(t, { target: provider.url, auth: { headers: { authorization } } })
    const client = (await connect(t, app.port)).post(path, openai.request)
    const give = await asked.next()
    client.leave()
    await assertLeft(app)
    give('Bearer key')
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(provider.connections.length, 0)
  })

  test('with a second pipelined request: both end', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = (await connect(t, app.port)).post(path, openai.request).post(path, openai.request)
    const first = (await provider.next()).sse(['data: 1\n\n'])
    await client.sees('data: 1\n\n')
    client.leave()
    await first.gone
    const outcomes = [(await app.record()).outcome, (await app.record()).outcome]
    assert.deepEqual(outcomes, ['client_disconnect', 'client_disconnect'])
    assert.deepEqual(app.proxy.exchanges(), [])
  })

  test('after the whole answer was sent: that does not count as a disconnect', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = (await connect(t, app.port)).post(path, openai.request)
    ;(await provider.next()).sse().end('data: 1\n\n')
    await client.sees('\r\n0\r\n\r\n')
    client.leave()
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('without involving the app: its error handlers are not called', async (t) => {
    const provider = await startProvider(t)
    const errors: unknown[] = []
    const app = await startApp(
      t,
      { target: provider.url, errors: 'next' },
      {
        after: (app) => {
          app.use((error: unknown, _req: unknown, _res: unknown, _next: unknown) => void errors.push(error))
        },
      },
    )
    const uploading = await connect(t, app.port)
    uploading.request('POST', path, { ...json, 'content-length': '100' }).write('{')
    await inPhase(app, 'receiving')
    uploading.leave()
    await assertLeft(app)
    const waiting = (await connect(t, app.port)).post(path, openai.request)
    const call = await provider.next()
    waiting.leave()
    await call.gone
    await assertLeft(app)
    assert.deepEqual(errors, [])
  })
})
