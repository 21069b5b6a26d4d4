import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { AiProxyError, type AiProxyOptions } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { assertLeft } from './support/disconnect.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { Queue } from './support/waiting.js'

/** A hook that waits until its exchange is over. */
function waiting() {
  const began = new Queue<AbortSignal>('the hook')
  const ended = new Queue<Error>('the signal')
  const onRequest: AiProxyOptions['onRequest'] = async (_request, { signal }) => {
    began.push(signal)
    await once(signal, 'abort')
    ended.push(signal.reason)
  }
  return { onRequest, began, ended }
}

describe('exchange.signal', () => {
  for (const onClientDisconnect of ['abort', 'drain'] as const) {
    test(`aborts a hook's pending work once the client has left (${onClientDisconnect})`, async (t) => {
      const provider = await startProvider(t)
      const { onRequest, began, ended } = waiting()
      const app = await startApp(t, { target: provider.url, onRequest, onClientDisconnect })
      const client = (await connect(t, app.port)).post(`/ai${openai.path}`, openai.request)
      assert.equal((await began.next()).aborted, false)
      client.leave()
      assert.equal((await ended.next()).name, 'AbortError')
      await assertLeft(app)
      assert.equal(provider.connections.length, 0)
    })
  }

  test('aborts during the stream, with the limit that was hit as its reason', async (t) => {
    const signals: AbortSignal[] = []
    const provider = await startProvider(t, { onCall: (call) => void call.sse(openai.events) })
    const app = await startApp(t, {
      target: provider.url,
      limits: { maxResponseBytes: 300 },
      onEvent: (_event, { signal }) => void signals.push(signal),
    })
    await (await post(app.url + openai.path, openai.request)).text().catch(() => {})
    assert.equal((await app.record()).code, 'response_too_large')
    assert.ok(signals.length > 0)
    for (const { reason } of signals) assert.ok(reason instanceof AiProxyError && reason.limit === 'maxResponseBytes')
  })

  test('aborts if the app ends the exchange by its id', async (t) => {
    const provider = await startProvider(t)
    const { onRequest, began, ended } = waiting()
    const app = await startApp(t, { target: provider.url, onRequest })
    const answer = post(app.url + openai.path, openai.request)
    await began.next()
    app.proxy.abort(app.proxy.exchanges()[0]!.id)
    assert.equal((await answer).status, 503)
    assert.equal(((await ended.next()) as AiProxyError).code, 'aborted')
  })

  test('does not abort if the exchange completes', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.sse(openai.events).end(openai.terminator) })
    const ended: [boolean, unknown][] = []
    let seen: unknown
    const app = await startApp(t, {
      target: provider.url,
      onRequest: (_request, exchange) => {
        seen = exchange
      },
      onFinish: (_record, exchange) => void ended.push([exchange.signal.aborted, exchange]),
    })
    await (await post(app.url + openai.path, openai.request)).text()
    await app.record()
    assert.deepEqual(ended, [[false, seen]])
  })
})
