import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions } from '../../../lib/index.js'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { startProvider } from '../support/provider.js'
import { sendStream, storyPieces, streams, type WireStream } from '../support/streams.js'
import { idOf, withoutId } from './support.js'

type OnEvent = NonNullable<AiProxyOptions['onEvent']>

/** Drops each third event that has text, and makes two of each fourth's letters capitals. */
function changing(): OnEvent {
  let count = 0
  return (event) => {
    if (!storyPieces.some((piece) => JSON.stringify(event.data).includes(piece))) return undefined
    count++
    if (count % 3 === 0) return null
    if (count % 4 > 0) return undefined
    return { ...event, data: JSON.parse(JSON.stringify(event.data).replaceAll('ship', 'SHIP')) } as never
  }
}

async function started(t: TestContext, stream: WireStream, options: Partial<AiProxyOptions> = {}) {
  const provider = await startProvider(t)
  const app = await startApp(t, {
    target: provider.url,
    endpoints: 'all',
    resume: { who: () => 'ada' },
    onEvent: changing(),
    ...options,
  } as AiProxyOptions)
  const ask = () => post(app.url + stream.path, { ...stream.request, temperature: 0 })
  return { provider, app, ask }
}

describe('an onEvent hook that drops and changes events, with resume', () => {
  for (const name of ['chat', 'anthropic'] as const) {
    test(`${streams[name].name}: ids count what the client gets, and a continuation has the same bytes`, async (t) => {
      const stream = streams[name]
      const { provider, app, ask } = await started(t, stream)
      const asked = ask()
      const half = Math.ceil(stream.frames.length / 2)
      const call = sendStream(await provider.next(), stream, stream.frames.slice(0, half))
      const response = await asked
      const url = new URL(response.headers.get('x-stream-url')!, app.url)
      const reader = new Events(response)
      const first = (await reader.next())!
      // One follows live, from the second event on.
      const live = new Events(await fetch(url, { headers: { 'last-event-id': idOf(first) } }))
      for (const frame of stream.frames.slice(half)) call.send(frame)
      call.end()
      const got = [first, ...(await reader.rest())]
      assert.ok(got.length < stream.frames.length, 'the hook has dropped events')
      assert.ok(!got.map(withoutId).every((event) => stream.frames.some((frame) => frame.toString() === event)))
      const epoch = idOf(first).split('.')[0]
      assert.deepEqual(
        got.map(idOf),
        got.map((_, at) => `${epoch}.${at + 1}`),
      )
      assert.deepEqual(await live.rest(), got.slice(1))
      for (const [at, event] of got.slice(0, -1).entries()) {
        const rest = new Events(await fetch(url, { headers: { 'last-event-id': idOf(event) } }))
        assert.deepEqual(await rest.rest(), got.slice(at + 1))
      }
      assert.equal((await fetch(url, { headers: { 'last-event-id': idOf(got.at(-1)!) } })).status, 204)
    })
  }

  test('NDJSON: the number of an event is that of what the client got', async (t) => {
    const stream = streams.ollamaChat
    const { provider, app, ask } = await started(t, stream)
    const asked = ask()
    sendStream(await provider.next(), stream, stream.frames).end()
    const response = await asked
    const url = new URL(response.headers.get('x-stream-url')!, app.url)
    const lines = (await response.text()).split(/(?<=\n)/)
    assert.ok(lines.length < stream.frames.length)
    for (let at = 0; at < lines.length; at++) {
      assert.equal(await (await fetch(`${url}?after=${at}`)).text(), lines.slice(at).join(''))
    }
    assert.equal((await fetch(`${url}?after=${lines.length}`)).status, 204)
  })

  test('a kept answer is what the client got, and the hook sees it once', async (t) => {
    const stream = streams.chat
    const seen: unknown[] = []
    const change = changing()
    const { provider, app, ask } = await started(t, stream, {
      cache: { ttlMs: 1e6, scope: () => 'all' },
      onEvent: (event, exchange) => {
        seen.push(event)
        return change(event, exchange)
      },
    })
    const asked = ask()
    sendStream(await provider.next(), stream, stream.frames).end()
    const got = (await new Events(await asked).rest()).map(withoutId)
    const count = seen.length
    await app.record()
    const hit = await ask()
    assert.equal(hit.headers.get('x-cache'), 'hit')
    assert.deepEqual((await new Events(hit).rest()).map(withoutId), got)
    assert.equal(seen.length, count)
  })
})
