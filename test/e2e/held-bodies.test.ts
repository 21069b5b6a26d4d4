import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { connect } from './support/client.js'
import { startProvider } from './support/provider.js'
import { until } from './support/waiting.js'

const path = '/ai/v1/chat/completions'
const body = { model: 'm', stream: true, x: 'x'.repeat(100_000) }

describe('a request body', () => {
  test('is held until the provider begins to answer', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = (await connect(t, app.port)).post(path, body)
    const call = await provider.next()
    assert.ok(app.proxy.stats().heldBytes >= 100_000)
    call.sse()
    await client.sees('text/event-stream')
    assert.deepEqual([app.proxy.stats().heldBytes, app.proxy.stats().active], [0, 1])
    call.end('data: [DONE]\n\n')
    await app.record()
    assert.equal(app.proxy.stats().heldBytes, 0)
  })

  test('is released when the client leaves, both while it arrives and while the provider is silent', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const half = await connect(t, app.port)
    half.write(
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"a":`,
    )
    const whole = (await connect(t, app.port)).post(path, body)
    await provider.next()
    assert.ok(app.proxy.stats().heldBytes >= 100_005)
    half.leave()
    await app.record()
    whole.leave()
    await app.record()
    assert.equal(app.proxy.stats().heldBytes, 0)
  })

  test('counts against the limit while the provider is drained, until it begins to answer', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, onClientDisconnect: 'drain' })
    const client = (await connect(t, app.port)).post(path, body)
    const call = await provider.next()
    client.leave()
    await until(() => app.proxy.exchanges()[0]?.phase === 'draining', 'it is drained')
    assert.ok(app.proxy.stats().heldBytes >= 100_000)
    call.sse().end('data: [DONE]\n\n')
    const { outcome } = await app.record()
    assert.deepEqual([outcome, app.proxy.stats().heldBytes], ['client_disconnect', 0])
  })

  test('counts against the limit while a hook has it, even after the client has left', async (t) => {
    const provider = await startProvider(t)
    let goOn = () => {}
    let isAsked = false
    const onRequest = () => {
      isAsked = true
      return new Promise<void>((resolve) => (goOn = resolve))
    }
    const app = await startApp(t, { target: provider.url, onRequest })
    const client = (await connect(t, app.port)).post(path, body)
    await until(() => isAsked, 'the hook is called')
    client.leave()
    await app.record()
    assert.ok(app.proxy.stats().heldBytes >= 100_000)
    goOn()
    await until(() => app.proxy.stats().heldBytes === 0, 'nothing is held')
  })

  test('is released when the provider is unreachable or resets', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = (await connect(t, app.port)).post(path, body)
    const call = await provider.next()
    call.res.socket!.resetAndDestroy()
    await client.sees(' 502 ')
    await app.record()
    assert.equal(app.proxy.stats().heldBytes, 0)
  })

  test('is rejected while others fill the limit, and accepted once they are gone', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { maxHeldBytes: 150_000 } })
    const first = (await connect(t, app.port)).post(path, body)
    const call = await provider.next()
    const second = (await connect(t, app.port)).post(path, body)
    assert.match(await second.sees('\r\n\r\n'), / 503 [\s\S]*retry-after: 1/i)
    await second.sees('held_bytes_exceeded')
    call.sse()
    await first.sees('text/event-stream')
    const third = (await connect(t, app.port)).post(path, body)
    ;(await provider.next()).sse().end('data: [DONE]\n\n')
    await third.sees('DONE')
    call.end('data: [DONE]\n\n')
  })
})
