import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions, ExchangeRecord } from '../../../lib/index.js'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { streams } from '../support/streams.js'
import { changedJournal, withoutId } from './support.js'

const { path, events, terminator } = openai
const request = { ...openai.request, temperature: 0 }
const all = [...events, terminator]
const urlOf = (response: Response, app: { url: string }) => new URL(response.headers.get('x-stream-url')!, app.url)

describe('resume', () => {
  test('when: a stream of which nothing is to be kept has no id, and cannot be continued', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.sse(events).end(terminator) })
    const when = ({ req }: { req: { headers: Record<string, unknown> } }) => req.headers['x-private'] === undefined
    const app = await startApp(t, { target: provider.url, resume: { who: () => 'ada', when } })
    const response = await post(app.url + path, request, { headers: { 'x-private': '1' } })
    assert.equal(response.headers.get('x-stream-id'), null)
    assert.deepEqual(await new Events(response).rest(), all)
    assert.equal(app.proxy.stats().journal?.entries, 0)
  })

  test("onClientDisconnect: 'abort' stops the provider although the stream could be continued", async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, {
      target: provider.url,
      onClientDisconnect: 'abort',
      resume: { who: () => 'ada' },
    })
    const leave = new AbortController()
    const asked = post(app.url + path, request, { signal: leave.signal })
    const call = await provider.next()
    call.sse(events.slice(0, 1))
    await asked
    leave.abort()
    await call.gone
  })

  test('a grace that is longer than any timer does not end at once', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, resume: { who: () => 'ada', graceMs: 2 ** 31 } })
    const leave = new AbortController()
    const asked = post(app.url + path, request, { signal: leave.signal })
    const call = await provider.next()
    call.sse(events.slice(0, 1))
    const response = await asked
    leave.abort()
    while (app.proxy.exchanges()[0]?.phase !== 'draining') await new Promise(setImmediate)
    // Timers that are too long fire after a millisecond, those that began first before the others.
    await new Promise((resolve) => setTimeout(resolve, 1))
    assert.equal(app.proxy.exchanges()[0]?.phase, 'draining')
    for (const event of events.slice(1)) call.send(event)
    call.end(terminator)
    assert.deepEqual((await new Events(await fetch(urlOf(response, app))).rest()).map(withoutId), all)
  })

  test('the provider goes on for longer than the grace while another reads', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, resume: { who: () => 'ada', graceMs: 1 } })
    const leave = new AbortController()
    const asked = post(app.url + path, request, { signal: leave.signal })
    const call = await provider.next()
    call.sse(events.slice(0, 1))
    const reader = new Events(await fetch(urlOf(await asked, app)))
    await reader.next()
    leave.abort()
    while (!app.proxy.exchanges().some(({ phase }) => phase === 'draining')) await new Promise(setImmediate)
    // Timers of a millisecond have passed by then.
    for (const event of events.slice(1)) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      call.send(event)
    }
    call.end(terminator)
    assert.deepEqual((await reader.rest()).map(withoutId), all.slice(1))
  })

  test('HEAD says how a stream stands, OPTIONS what can be asked; neither is stored on the way', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, resume: { who: () => 'ada' } })
    const asked = post(app.url + path, request)
    const call = await provider.next()
    call.sse(events.slice(0, 2))
    const response = await asked
    const url = urlOf(response, app)
    const reader = new Events(response)
    await reader.next()
    await reader.next()
    const stand = async () => {
      const { headers, status } = await fetch(url, { method: 'HEAD' })
      assert.deepEqual([status, headers.get('cache-control')], [200, 'no-store'])
      return ['state', 'oldest', 'newest'].map((name) => headers.get(`x-stream-${name}`))
    }
    assert.deepEqual(await stand(), ['open', '1', '2'])
    call.reset()
    await reader.rest()
    await app.record()
    assert.deepEqual(await stand(), ['failed', '1', '3'])
    const options = await fetch(url, { method: 'OPTIONS' })
    assert.deepEqual([options.status, options.headers.get('allow')], [204, 'GET, HEAD, DELETE, OPTIONS'])
    assert.equal((await fetch(url, { method: 'PUT' })).status, 405)
  })

  test('HEAD says that it is not known how a stream stands while the store cannot be reached', async (t) => {
    const read = () => Promise.reject(new Error('down'))
    const { journal } = changedJournal(() => ({ read }))
    const app = await startApp(t, { target: 'http://127.0.0.1:9', resume: { journal, who: () => 'ada' } })
    const { status, headers } = await fetch(`${app.url}/-/streams/${'a'.repeat(22)}`, { method: 'HEAD' })
    assert.deepEqual([status, headers.get('x-stream-state')], [503, 'unknown'])
  })

  for (const { name, path: at, request: body, frames, contentType } of [streams.ollamaChat, streams.converse]) {
    test(`${name}: is continued by the number of the last event`, async (t) => {
      const provider = await startProvider(t, {
        onCall: (call) => {
          call.res.writeHead(200, { 'content-type': contentType })
          for (const frame of frames) call.send(frame)
          call.end()
        },
      })
      const app = await startApp(t, { target: provider.url, resume: { who: () => 'ada' } })
      const response = await post(app.url + at, body)
      assert.ok(Buffer.concat(frames).equals(Buffer.from(await response.arrayBuffer())), 'the bytes are the provider’s')
      const url = urlOf(response, app)
      const rest = await fetch(`${url}?after=2`)
      assert.ok(Buffer.concat(frames.slice(2)).equals(Buffer.from(await rest.arrayBuffer())))
      assert.equal((await fetch(`${url}?after=${frames.length}`)).status, 204)
    })
  }

  test('no failure follows the end of a stream, although it is not kept any more', async (t) => {
    let isGone = false
    const { journal } = changedJournal((memory) => ({
      read: (id, after, maxBytes) => memory.read(isGone ? 'gone' : id, after, maxBytes),
    }))
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, resume: { journal, who: () => 'ada' } })
    const asked = post(app.url + path, request)
    const call = await provider.next()
    call.sse(events).send(terminator)
    const reader = new Events(await fetch(urlOf(await asked, app)))
    const got: string[] = []
    while (got.length < all.length) got.push(withoutId((await reader.next())!))
    isGone = true
    call.end()
    assert.deepEqual([...got, ...(await reader.rest())], all)
  })

  test('the record of a continuation has no usage and no cost: they count once', async (t) => {
    const { frames, path: at, request: body } = streams.chat
    const provider = await startProvider(t, { onCall: (call) => call.sse(frames.map(String)).end() })
    const app = await startApp(t, {
      target: provider.url,
      resume: { who: () => 'ada' },
      prices: { 'model-of-the-test': { input: 1, output: 1 } },
    })
    const response = await post(app.url + at, body)
    await response.text()
    const first = await app.record()
    assert.ok(first.usage && first.cost)
    await (await fetch(urlOf(response, app))).text()
    const second = await app.record()
    assert.deepEqual([second.outcome, second.usage, second.cost ?? 0], ['completed', undefined, 0])
  })
})

describe('cache and join', () => {
  test('a request with a field twice is never shared: readers disagree about which counts', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.sse(events).end(terminator) })
    const app = await startApp(t, { target: provider.url, cache: { ttlMs: 1e6, scope: () => 'all' } })
    const text = JSON.stringify({ ...request, messages: [{ role: 'user', content: 'a' }] })
    const twice = text.replace('"content":"a"', '"content":"b","content":"a"')
    for (const [body, how] of [
      [twice, null],
      [text, 'miss'],
      [twice, null],
      [text, 'hit'],
    ] as const) {
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(app.url + path, { method: 'POST', headers, body })
      assert.equal(response.headers.get('x-cache'), how)
      await response.text()
    }
  })

  test('hits and joins cost nothing, and policies see no usage of theirs', async (t) => {
    const { frames, path: at, request: asking } = streams.chat
    const body = { ...asking, temperature: 0 }
    const provider = await startProvider(t)
    let admitted = 0
    let bothIn = () => {}
    const both = new Promise<void>((resolve) => (bothIn = resolve))
    const settled: ExchangeRecord[] = []
    const app = await startApp(t, {
      target: provider.url,
      cache: { ttlMs: 1e6, scope: () => 'all' },
      joinIdentical: true,
      prices: { 'model-of-the-test': { input: 1, output: 1 } },
      policies: [
        {
          name: 'together',
          admit: async () => {
            if (++admitted === 2) bothIn()
            await both
          },
          settle: (record) => void settled.push(record),
        },
      ],
    } as AiProxyOptions)
    // Both have passed the policies before one of them leads.
    const asked = [post(app.url + at, body), post(app.url + at, body)]
    const call = await provider.next()
    call.sse(frames.map(String)).end()
    const answers = await Promise.all(asked)
    const texts = await Promise.all(answers.map((answer) => answer.text()))
    assert.deepEqual(texts, [String(Buffer.concat(frames)), String(Buffer.concat(frames))])
    const hit = await post(app.url + at, body)
    assert.equal(hit.headers.get('x-cache'), 'hit')
    await hit.text()
    const records = [await app.record(), await app.record(), await app.record()]
    const byCache = (of: readonly ExchangeRecord[], how: string) => of.find(({ cache }) => cache === how)!
    assert.ok(byCache(records, 'miss').cost)
    for (const how of ['join', 'hit']) {
      assert.equal(byCache(records, how).cost, 0)
      assert.deepEqual(byCache(records, how).usage, byCache(records, 'miss').usage)
    }
    assert.equal(provider.calls.length, 1)
    // The hit did not need to be admitted.
    assert.equal(admitted, 2)
    assert.ok(byCache(settled, 'miss').usage)
    assert.equal(byCache(settled, 'join').usage, undefined)
    assert.deepEqual(app.proxy.stats().cache, { hits: 1, misses: 1, joins: 1 })
  })

  test('delete() drops the answer of a key', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.sse(events).end(terminator) })
    const app = await startApp(t, { target: provider.url, cache: { ttlMs: 1e6, scope: () => 'all' } })
    const ask = async () => {
      const response = await post(app.url + path, request)
      await response.text()
      return response.headers.get('x-cache')
    }
    assert.deepEqual([await ask(), await ask()], ['miss', 'hit'])
    const keys: string[] = []
    await app.proxy.cache.delete(({ key, scope, path: at }) => {
      keys.push(key)
      assert.deepEqual([scope, at], ['all', path])
      return false
    })
    assert.equal(await app.proxy.cache.delete('another'), 0)
    const wrong = /cache\.delete\(which\)/
    await assert.rejects(app.proxy.cache.delete((async () => false) as never), wrong)
    await assert.rejects(app.proxy.cache.delete((() => Promise.reject(new Error('late'))) as never), wrong)
    await assert.rejects(app.proxy.cache.delete(undefined as never), wrong)
    assert.equal(await app.proxy.cache.delete(keys[0]!), 1)
    assert.equal(await ask(), 'miss')
    const without = await startApp(t, { target: provider.url })
    await assert.rejects(without.proxy.cache.delete('a'), /cache\.delete\(\) needs the option `cache`/)
  })
})
