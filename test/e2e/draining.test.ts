import assert from 'node:assert/strict'
import http from 'node:http'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { connect } from './support/client.js'
import { assertLeft, inPhase } from './support/disconnect.js'
import { openai } from './support/protocols.js'
import { type Owner, startProvider } from './support/provider.js'
import { Queue } from './support/waiting.js'

const path = `/ai${openai.path}`
const flood = `data: ${'x'.repeat(64_000)}\n\n`

describe("onClientDisconnect: 'drain'", () => {
  async function start(t: Owner, limits = {}) {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, onClientDisconnect: 'drain', limits })
    const client = (await connect(t, app.port)).post(path, openai.request)
    return { provider, app, client, call: await provider.next() }
  }

  test('reads the provider to the end, and records how much that was', async (t) => {
    const { app, client, call } = await start(t)
    call.sse(['data: 1\n\n'])
    await client.sees('data: 1\n\n')
    client.leave()
    await inPhase(app, 'draining')
    call.send('data: 2\n\n').end('data: [DONE]\n\n')
    await assertLeft(app, { events: 3, upstreamBytes: 32, downstreamBytes: 9, status: 200 })
  })

  test('drains if the client leaves before the first byte', async (t) => {
    const { provider, app, client, call } = await start(t)
    client.leave()
    await inPhase(app, 'draining')
    call.sse(['data: 1\n\n']).end('data: 2\n\n')
    await assertLeft(app, { events: 2, upstreamBytes: 18, downstreamBytes: 0, status: undefined })
    assert.equal(provider.calls.length, 1)
  })

  test('drains if the client had stopped reading before it left', async (t) => {
    const { app, client, call } = await start(t)
    client.pause()
    call.sse()
    let stop = false
    const flooding = (async () => {
      while (!stop) {
        if (!call.res.write(flood)) await new Promise((resolve) => call.res.once('drain', resolve))
      }
    })()
    await inPhase(app, 'stalled')
    client.leave()
    stop = true
    await flooding
    call.end('data: last\n\n')
    const record = await assertLeft(app)
    assert.ok(record.upstreamBytes > record.downstreamBytes)
  })

  test('applies the limits while it drains', async (t) => {
    const { app, client, call } = await start(t, { idleTimeoutMs: 30 })
    call.sse(['data: 1\n\n'])
    await client.sees('data: 1\n\n')
    client.leave()
    await call.gone
    const record = await app.record()
    assert.equal(record.outcome, 'client_disconnect')
    assert.equal(record.limit, 'idleTimeoutMs')
    assert.equal(record.code, 'idle_timeout')
  })

  test('records upstream_reset if the provider breaks off while it is drained', async (t) => {
    const { app, client, call } = await start(t)
    call.sse(['data: 1\n\n'])
    await client.sees('data: 1\n\n')
    client.leave()
    await inPhase(app, 'draining')
    call.reset()
    const record = await app.record()
    assert.equal(record.outcome, 'client_disconnect')
    assert.equal(record.code, 'upstream_reset')
  })

  test('records client_disconnect if the provider breaks off at the same moment as the client leaves', async (t) => {
    const provider = await startProvider(t)
    const requests = new Queue<http.IncomingMessage>('the request in the app')
    // The client's connection is destroyed, and has not said so yet, when the provider's reset is heard of.
    const agent = new http.Agent()
    const create = agent.createConnection.bind(agent)
    agent.createConnection = (...args) => {
      const socket = create(...args)
      socket?.prependListener('error', () => requests.all[0]?.socket.destroy())
      return socket
    }
    const app = await startApp(
      t,
      { target: provider.url, onClientDisconnect: 'drain', proxy: { agent } },
      {
        before: (app) => {
          app.use((req, _res, next) => {
            requests.push(req)
            next()
          })
        },
      },
    )
    ;(await connect(t, app.port)).post(path, openai.request)
    const call = await provider.next()
    call.reset()
    assert.equal((await app.record()).outcome, 'client_disconnect')
    assert.deepEqual(app.proxy.exchanges(), [])
  })

  test('does not drain if the client leaves during an upload', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, onClientDisconnect: 'drain', endpoints: 'all' })
    const client = await connect(t, app.port)
    client.request('POST', '/ai/v1/x', { 'content-type': 'audio/wav', 'content-length': '9' }).write('abc')
    const call = await provider.next()
    client.leave()
    await call.gone
    await assertLeft(app, { requestBytes: 3 })
  })
})
