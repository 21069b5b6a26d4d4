import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { splitterFor } from '../../lib/client/splitter-for.js'
import { type ResumableOptions, resumable, stop } from '../../lib/client.js'
import { type AiProxyOptions, framings } from '../../lib/index.js'
import { memoryJournal } from '../../lib/journal.js'
import { startApp } from '../e2e/support/app.js'
import { type Call, startProvider } from '../e2e/support/provider.js'
import { sendStream, streams, type WireStream } from '../e2e/support/streams.js'
import { startRelay } from './cutting-relay.js'

/** The provider, the middleware in front of it, and a network in front of that which breaks. */
async function started(
  t: TestContext,
  given: {
    readonly client?: ResumableOptions
    readonly resume?: AiProxyOptions['resume']
    readonly onCall?: (call: Call) => unknown
    readonly fetch?: typeof fetch
  } = {},
) {
  const { onCall, resume, client, fetch = globalThis.fetch } = given
  const provider = await startProvider(t, { ...(onCall && { onCall }) })
  const app = await startApp(t, {
    target: provider.url,
    resume: { journal: memoryJournal(), who: (req) => req.get('x-user'), ...resume },
  })
  const relay = await startRelay(t, app.port)
  const url = `http://127.0.0.1:${relay.port}/ai`
  const wrapped = resumable(fetch, { retries: 100, backoff: { baseMs: 1, maxMs: 5 }, ...client })
  const ask = ({ path, request }: WireStream, init: RequestInit = {}) => {
    const headers = { 'content-type': 'application/json', 'x-user': 'ada' }
    return wrapped(url + path, { method: 'POST', headers, body: JSON.stringify(request), ...init })
  }
  return { provider, app, relay, url, ask }
}

/** Removes the ids, which differ from stream to stream. */
const withoutIds = (text: string) => text.replace(/^id: [\w-]+\.\d+\n/gm, '')
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer()).toString('latin1')

for (const [name, stream] of Object.entries({
  'server-sent events': streams.chat,
  'newline-delimited JSON': streams.ollamaChat,
  'an AWS event stream': streams.converse,
})) {
  test(`${name} of the middleware arrive whole, wherever connections break`, async (t) => {
    const whole = Buffer.concat([...stream.frames]).toString('latin1')
    const { ask, relay } = await started(t, { onCall: (call) => sendStream(call, stream, stream.frames).end() })
    assert.equal(withoutIds(await bytesOf(await ask(stream))), whole)
    const cut = fc.integer({ min: 1, max: whole.length })
    await fc.assert(
      fc.asyncProperty(fc.array(cut, { minLength: 1, maxLength: 8 }), async (cuts) => {
        // Connections that were kept open would not be cut where the test wants it.
        relay.breakAll()
        relay.cuts.splice(0, relay.cuts.length, ...cuts)
        const response = await ask(stream)
        assert.match(response.headers.get('x-stream-id') ?? '', /^[\w-]{22}$/)
        assert.equal(withoutIds(await bytesOf(response)), whole)
      }),
      { numRuns: 25 },
    )
    assert.ok(relay.broken > 10, `${relay.broken} connections broke`)
  })
}

describe('in front of the middleware', () => {
  for (const connection of ['keep-alive', 'close']) {
    test(`a stream whose connection breaks goes on live: connection: ${connection}`, async (t) => {
      const { provider, ask, relay } = await started(t)
      const { frames } = streams.chat
      const headers = { 'content-type': 'application/json', 'x-user': 'ada', connection }
      const asked = ask(streams.chat, { headers })
      const call = sendStream(await provider.next(), streams.chat, frames.slice(0, 1))
      const response = await asked
      assert.equal(response.headers.get('connection'), connection)
      const reader = response.body!.getReader()
      let text = ''
      for (const frame of frames.slice(1)) {
        const { value } = await reader.read()
        text += Buffer.from(value!).toString()
        relay.breakAll()
        call.send(frame)
      }
      call.end()
      for (let next = await reader.read(); !next.done; next = await reader.read())
        text += Buffer.from(next.value).toString()
      assert.equal(withoutIds(text), Buffer.concat([...frames]).toString())
      assert.ok(relay.broken >= frames.length - 1)
    })
  }

  test('an abort stops the provider at once', async (t) => {
    const { app, provider, ask } = await started(t)
    const user = new AbortController()
    const asked = ask(streams.chat, { signal: user.signal })
    const call = sendStream(await provider.next(), streams.chat, streams.chat.frames.slice(0, 3))
    const reader = (await asked).body!.getReader()
    await reader.read()
    user.abort()
    await assert.rejects(reader.read(), { name: 'AbortError' })
    await call.gone
    assert.equal((await app.record()).outcome, 'client_disconnect')
  })

  for (const onAbort of ['stop', 'leave'] as const) {
    test(`with onAbort: '${onAbort}', an abort before the head stops the provider: there is nothing to continue`, async (t) => {
      const journal = memoryJournal()
      t.after(() => journal.close())
      const sent: (string | undefined)[] = []
      const { app, provider, ask } = await started(t, {
        resume: { journal },
        client: { onAbort },
        fetch: (input, init) => {
          sent.push(init?.method)
          return fetch(input, init)
        },
      })
      const user = new AbortController()
      const asked = ask(streams.chat, { signal: user.signal })
      const call = await provider.next()
      user.abort()
      await assert.rejects(asked, { name: 'AbortError' })
      await call.gone
      assert.equal((await app.record()).outcome, 'client_disconnect')
      assert.deepEqual([sent, journal.stats().entries], [['POST'], 0])
    })
  }

  test("with onAbort: 'leave', the provider goes on", async (t) => {
    const { app, provider, ask } = await started(t, { client: { onAbort: 'leave' } })
    const asked = ask(streams.chat)
    const call = sendStream(await provider.next(), streams.chat, streams.chat.frames.slice(0, 3))
    const response = await asked
    await response.body!.cancel()
    for (const frame of streams.chat.frames.slice(3)) call.send(frame)
    call.end()
    await app.record()
    const url = new URL(response.headers.get('x-stream-url')!, app.url)
    const kept = await (await fetch(url, { headers: { 'x-user': 'ada' } })).text()
    assert.equal(withoutIds(kept), Buffer.concat([...streams.chat.frames]).toString())
  })

  test('stop() stops the provider, and the body ends with an event that says so', async (t) => {
    const { provider, ask } = await started(t)
    const asked = ask(streams.chat)
    const call = sendStream(await provider.next(), streams.chat, streams.chat.frames.slice(0, 3))
    const response = await asked
    assert.equal(await stop(response), true)
    await call.gone
    assert.match(await response.text(), /"code":"aborted"/)
    assert.equal(await stop(response), true)
  })

  for (const [name, graceMs, end] of [
    ['a provider that fails while the client is away', 60_000, (call: Call) => call.reset()],
    ['a provider that was stopped because the client was away too long', 5, (call: Call) => call.gone],
  ] as const) {
    test(`${name} is an error event when it is back`, async (t) => {
      let comeBack = () => {}
      const away = new Promise<void>((resolve) => {
        comeBack = resolve
      })
      const slow: typeof fetch = async (input, init) => {
        if (init?.method === 'GET') await away
        return fetch(input, init)
      }
      const { app, provider, relay, ask } = await started(t, { resume: { graceMs }, fetch: slow })
      const asked = ask(streams.chat)
      const frames = streams.chat.frames.slice(0, 2)
      const call = sendStream(await provider.next(), streams.chat, frames)
      const reader = (await asked).body!.getReader()
      let text = ''
      while (withoutIds(text).length < Buffer.concat([...frames]).length) {
        text += Buffer.from((await reader.read()).value!).toString()
      }
      relay.breakAll()
      const next = reader.read()
      await end(call)
      await app.record()
      comeBack()
      const { value, done } = await next
      assert.equal(done, false, 'the body ended as if the answer were complete')
      assert.match(Buffer.from(value!).toString(), /"error"/)
    })
  }

  test('clients that share an answer, with and without its usage, each get theirs whole', async (t) => {
    const provider = await startProvider(t)
    const journal = memoryJournal()
    const app = await startApp(t, {
      target: provider.url,
      resume: { journal, who: (req) => req.get('x-user') },
      cache: { journal, ttlMs: 60_000, scope: () => 'all' },
      joinIdentical: true,
    })
    const relay = await startRelay(t, app.port)
    const { path, request, frames } = streams.chat
    assert.ok(frames.at(-2)!.includes('usage'), 'the last event but one has the usage')
    const ask = resumable(fetch, { retries: 100, backoff: { baseMs: 1, maxMs: 5 } })
    const read = async (user: string, include_usage: boolean): Promise<string> => {
      const response = await ask(`http://127.0.0.1:${relay.port}/ai${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-user': user },
        body: JSON.stringify({ ...request, temperature: 0, stream_options: { include_usage } }),
      })
      assert.ok(response.headers.get('x-stream-id'))
      return withoutIds(await response.text())
    }
    const answers = [read('ada', false), read('bob', true)]
    const call = sendStream(await provider.next(), streams.chat, frames.slice(0, 1))
    for (const frame of frames.slice(1)) {
      await new Promise((resolve) => setImmediate(resolve))
      call.send(frame)
    }
    call.end()
    const [without, withUsage] = await Promise.all(answers)
    relay.cuts.push(100, 300, 500)
    relay.breakAll()
    const before = relay.broken
    // Node's fetch may still take one of the connections that were just broken.
    const again = await read('cyd', true).catch(() => read('cyd', true))
    assert.equal(relay.broken - before, 3)
    assert.equal(withUsage, Buffer.concat([...frames]).toString())
    assert.equal(without, Buffer.concat(frames.filter((frame) => !frame.includes('"usage":{'))).toString())
    assert.equal(again, withUsage)
    assert.equal(provider.calls.length, 1)
  })

  test("another user's stream cannot be resumed", async (t) => {
    const { provider, ask, relay } = await started(t)
    const headers: Record<string, string> = { 'content-type': 'application/json', 'x-user': 'ada' }
    const asked = ask(streams.chat, { headers })
    sendStream(await provider.next(), streams.chat, streams.chat.frames.slice(0, 2))
    const response = await asked
    const theirs = resumable(fetch, { retries: 1, backoff: { maxMs: 0 } })
    const url = new URL(response.headers.get('x-stream-url')!, `http://127.0.0.1:${relay.port}`)
    assert.equal((await theirs(url, { headers: { 'x-user': 'eve' } })).status, 404)
    await response.body!.cancel()
  })
})

test('the framings that are split here are those of the middleware', () => {
  const { sse, ndjson, awsEventStream } = framings
  for (const { mediaTypes = [] } of [sse, ndjson, awsEventStream]) {
    for (const type of mediaTypes) assert.ok(splitterFor(type, 1, '0'), type)
  }
})
