import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { connect, Events, post } from './support/client.js'
import { inPhase } from './support/disconnect.js'
import { protocols } from './support/protocols.js'
import { startProvider } from './support/provider.js'

describe('abort(id)', () => {
  for (const { name, path, request, events, errorIn, errorInEvent } of protocols) {
    test(`${name}: ends a stream with an error event, and stops the provider`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const answer = post(app.url + path, request)
      const call = (await provider.next()).sse([events[0]!])
      const received = new Events(await answer)
      assert.equal(await received.next(), events[0])
      const [exchange, ...others] = app.proxy.exchanges()
      assert.deepEqual([exchange?.stream, others], [true, []])
      assert.equal(app.proxy.abort(exchange!.id), true)
      assert.equal(errorInEvent(await received.next()).code, 'aborted')
      assert.equal(await received.next(), undefined)
      await call.gone
      const { id, outcome, code, status } = await app.record()
      assert.deepEqual([id, outcome, code, status], [exchange!.id, 'rejected', 'aborted', 200])
      assert.equal(app.proxy.abort(id), false, 'it is over')
    })

    test(`${name}: answers 503 before the first byte`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const answer = post(app.url + path, request)
      const call = await provider.next()
      assert.equal(app.proxy.abort(app.proxy.exchanges()[0]!.id), true)
      const response = await answer
      assert.equal(response.status, 503)
      assert.equal(errorIn(await response.json()).code, 'aborted')
      await call.gone
      assert.equal((await app.record()).code, 'aborted')
    })
  }

  test('ends the stream after the events that have passed if a hook calls it', async (t) => {
    const provider = await startProvider(t)
    const [{ path, request, events, errorInEvent }] = protocols as [(typeof protocols)[number]]
    const app = await startApp(t, {
      target: provider.url,
      onEvent: (_event, { id }) => void app.proxy.abort(id),
    })
    const answer = post(app.url + path, request)
    const call = (await provider.next()).sse([events.slice(0, 2).join('')])
    const received = await new Events(await answer).rest()
    assert.deepEqual(received.slice(0, -1), events.slice(0, 2))
    assert.equal(errorInEvent(received.at(-1)).code, 'aborted')
    await call.gone
  })

  test('cuts the connection if the last bytes of the answer are being sent', async (t) => {
    const provider = await startProvider(t)
    // The app's own answer is written at once, and is more than what the kernel takes on its way.
    const app = await startApp(t, { target: provider.url, onRequest: () => ({ body: 'x'.repeat(7 << 20) }) })
    const [{ path, request }] = protocols as [(typeof protocols)[number]]
    const client = (await connect(t, app.port)).pause().post(`/ai${path}`, request)
    await inPhase(app, 'ending')
    assert.equal(app.proxy.abort(app.proxy.exchanges()[0]!.id), true)
    const { outcome, code } = await app.record()
    assert.deepEqual([outcome, code], ['rejected', 'aborted'])
    client.socket.resume()
    assert.ok((await client.end()).length < 7 << 20)
  })

  test('does nothing if no exchange has this id', async (t) => {
    const app = await startApp(t, { target: 'http://127.0.0.1:1' })
    assert.equal(app.proxy.abort('x'), false)
  })
})
