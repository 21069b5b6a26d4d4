import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions } from '../../../lib/index.js'
import { type App, startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { chatUsage, streams } from '../support/streams.js'
import { idOf, withoutId } from './support.js'

const { path, events, terminator } = openai
const request = { ...openai.request, temperature: 0 }
const all = [...events, terminator]
const as = (user: string) => ({ headers: { 'x-user': user } })

async function started(t: TestContext, options: Partial<AiProxyOptions> = {}) {
  const provider = await startProvider(t)
  const app = await startApp(t, {
    target: provider.url,
    identify: (req) => req.get('x-user') ?? null,
    resume: { graceMs: 5000 },
    cache: { ttlMs: 1e6, scope: () => 'all' },
    joinIdentical: true,
    ...options,
  })
  const leave = new AbortController()
  const leading = post(app.url + path, request, { ...as('ada'), signal: leave.signal })
  const call = await provider.next()
  const joining = post(app.url + path, request, as('bob'))
  call.sse(events.slice(0, 1))
  return { provider, app, call, leader: await leading, joined: await joining, leave }
}

function streamsOf(app: App, ...answers: readonly [Response, Response]) {
  return answers.map(({ headers }) => `${app.url}/-/streams/${headers.get('x-stream-id')}`) as [string, string]
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate)
}

describe('a stream that is shared and can be continued', () => {
  test('is continued by each with an id of its own, and by nobody else', async (t) => {
    const { app, call, leader, joined } = await started(t)
    const ids = [leader, joined].map(({ headers }) => headers.get('x-stream-id')!)
    assert.notEqual(ids[0], ids[1])
    const at = (id: string) => `${app.url}/-/streams/${id}`
    assert.equal((await fetch(at(ids[1]!), as('ada'))).status, 404)
    assert.equal((await fetch(at(ids[0]!), as('bob'))).status, 404)
    const first = new Events(joined)
    const id = idOf((await first.next())!)
    await joined.body?.cancel().catch(() => {})
    const continued = await fetch(at(ids[1]!), { headers: { ...as('bob').headers, 'last-event-id': id } })
    for (const event of events.slice(1)) call.send(event)
    call.end(terminator)
    assert.deepEqual((await new Events(continued).rest()).map(withoutId), all.slice(1))
    assert.deepEqual((await new Events(leader).rest()).map(withoutId), all)
    await app.record()
    const cached = await post(app.url + path, request, as('eve'))
    assert.equal(cached.headers.get('x-cache'), 'hit')
    const got = await new Events(cached).rest()
    assert.deepEqual(got.map(withoutId), all)
    const again = await fetch(at(cached.headers.get('x-stream-id')!), {
      headers: { ...as('eve').headers, 'last-event-id': idOf(got[1]!) },
    })
    assert.deepEqual((await new Events(again).rest()).map(withoutId), all.slice(2))
  })

  test('is not stopped for the others if one of them stops', async (t) => {
    const { app, call, leader, joined } = await started(t)
    const [one, other] = streamsOf(app, leader, joined)
    assert.equal((await fetch(one, { method: 'DELETE', ...as('ada') })).status, 204)
    assert.equal((await fetch(other, { method: 'DELETE', ...as('bob') })).status, 204)
    for (const event of events.slice(1)) call.send(event)
    call.end(terminator)
    assert.deepEqual((await new Events(joined).rest()).map(withoutId), all)
  })

  for (const [who, other] of [
    ['ada', 'bob'],
    ['bob', 'ada'],
  ] as const) {
    test(`is not stopped by ${other} while ${who} may come back to it`, async (t) => {
      const { app, call, leader, joined, leave } = await started(t)
      const [one, two] = streamsOf(app, leader, joined)
      const [own, others] = who === 'ada' ? [one, two] : [two, one]
      if (who === 'ada') leave.abort()
      else void joined.body?.cancel()
      await until(() =>
        who === 'ada'
          ? app.proxy.exchanges().some(({ phase }) => phase === 'draining')
          : app.records.some(({ outcome }) => outcome === 'client_disconnect'),
      )
      assert.equal((await fetch(others, { method: 'DELETE', ...as(other) })).status, 204)
      const continued = await fetch(own, as(who))
      for (const event of events.slice(1)) call.send(event)
      call.end(terminator)
      assert.deepEqual((await new Events(continued).rest()).map(withoutId), all)
    })
  }

  test('stops at once if it waits for no client that has left', async (t) => {
    const { app, call, leader, joined } = await started(t, { onClientDisconnect: 'abort' })
    const [one] = streamsOf(app, leader, joined)
    await joined.body?.cancel()
    await app.record()
    assert.equal((await fetch(one, { method: 'DELETE', ...as('ada') })).status, 204)
    await call.gone
  })

  test('stops when nobody has read it for the grace, whoever may have come back', async (t) => {
    const { app, call, leader, joined, leave } = await started(t, { resume: { graceMs: 50 } })
    const [, other] = streamsOf(app, leader, joined)
    leave.abort()
    await until(() => app.proxy.exchanges().some(({ phase }) => phase === 'draining'))
    assert.equal((await fetch(other, { method: 'DELETE', ...as('bob') })).status, 204)
    await joined.body?.cancel()
    await call.gone
  })
})

test('a client that has not asked for usage gets none when it continues', async (t) => {
  const { frames, path: at, request: asking } = streams.chat
  const provider = await startProvider(t, { onCall: (call) => call.sse(frames.map(String)).end() })
  const app = await startApp(t, {
    target: provider.url,
    resume: { who: () => 'ada' },
    cache: { ttlMs: 1e6, scope: () => 'all' },
  })
  const { stream_options: _, ...silent } = { ...asking, temperature: 0 } as Record<string, unknown>
  const less = frames.filter((frame) => frame !== chatUsage).map(String)
  for (const [body, expected] of [
    [silent, less],
    [silent, less],
    [{ ...silent, stream_options: { include_usage: true } }, frames.map(String)],
  ] as const) {
    const response = await post(app.url + at, body)
    assert.deepEqual((await new Events(response).rest()).map(withoutId), expected)
    const again = await fetch(new URL(response.headers.get('x-stream-url')!, app.url))
    assert.deepEqual((await new Events(again).rest()).map(withoutId), expected)
  }
  assert.equal(provider.calls.length, 1)
})

test('the last one who reads a shared stream can stop it', async (t) => {
  const { app, call, leader, joined, leave } = await started(t)
  const [one, other] = streamsOf(app, leader, joined)
  assert.equal((await fetch(one, { method: 'DELETE', ...as('ada') })).status, 204)
  leave.abort()
  await until(() => app.proxy.exchanges().some(({ phase }) => phase === 'draining'))
  assert.equal((await fetch(other, { method: 'DELETE', ...as('bob') })).status, 204)
  await call.gone
  assert.match((await new Events(joined).rest()).at(-1)!, /"code":"aborted"/)
})

test('an answer that nobody could continue, because its head has not come, stops with its only client', async (t) => {
  const provider = await startProvider(t)
  const app = await startApp(t, {
    target: provider.url,
    resume: { who: () => 'ada' },
    cache: { ttlMs: 1e6, scope: () => 'all' },
    joinIdentical: true,
  })
  const leave = new AbortController()
  const asked = post(app.url + path, request, { signal: leave.signal })
  const call = await provider.next()
  leave.abort()
  await assert.rejects(asked)
  await call.gone
  assert.equal((await app.record()).outcome, 'client_disconnect')
})

test('an answer of many turns is whole as a hit, and for a later reader', async (t) => {
  const wide = (n: number) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: `${n} ${'x'.repeat(2000)}` } }] })}\n\n`
  const sent = [...Array.from({ length: 200 }, (_, n) => wide(n)), ...events.slice(-1), terminator]
  const provider = await startProvider(t, { onCall: (call) => call.sse(sent).end() })
  const app = await startApp(t, {
    target: provider.url,
    resume: { who: () => 'ada' },
    cache: { ttlMs: 1e6, scope: () => 'all' },
  })
  for (const how of ['miss', 'hit']) {
    const response = await post(app.url + path, request)
    assert.equal(response.headers.get('x-cache'), how)
    assert.deepEqual((await new Events(response).rest()).map(withoutId), sent)
    const again = await fetch(new URL(response.headers.get('x-stream-url')!, app.url))
    assert.deepEqual((await new Events(again).rest()).map(withoutId), sent)
  }
  assert.equal(provider.calls.length, 1)
})
