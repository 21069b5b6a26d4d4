import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as nextRound } from 'node:timers/promises'
import type { AiProxyOptions } from '../../../lib/index.js'
import { queue } from '../../../lib/queue.js'
import { startApp } from '../support/app.js'
import { connect, Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { ROLE, startPair } from '../support/targets.js'
import { until, within } from '../support/waiting.js'
import { idOf, withoutId } from './support.js'

const { path, events, terminator, errorInEvent } = openai
const request = { ...openai.request, temperature: 0 }
const all = [...events, terminator]
const heartbeat = /^: .*\n\n$/

/** Reads the next event that is no heartbeat. */
async function nextOf(reader: Events): Promise<string | undefined> {
  let event = await reader.next()
  while (event !== undefined && heartbeat.test(event)) event = await reader.next()
  return event
}

/** Reads all events that are no heartbeats. */
async function restOf(reader: Events): Promise<string[]> {
  return (await reader.rest()).filter((event) => !heartbeat.test(event))
}

async function started(t: TestContext, options: Partial<AiProxyOptions> = {}) {
  const provider = await startProvider(t)
  const app = await startApp(t, {
    target: provider.url,
    cache: { ttlMs: 1e6, scope: () => 'all' },
    joinIdentical: true,
    heartbeat: { everyMs: 5, beforeFirstByte: true },
    ...options,
  } as AiProxyOptions)
  const ask = (body: object = request, init: RequestInit = {}) =>
    within(post(app.url + path, body, init), 'the head, before the provider answers')
  return { provider, app, ask }
}

/** The provider has been asked, and is silent; a leader and two followers have heads and heartbeats. */
async function allSilent(t: TestContext, options: Partial<AiProxyOptions> = {}) {
  const given = await started(t, options)
  const { provider, app, ask } = given
  const leave = new AbortController()
  const leader = await ask(request, { signal: leave.signal })
  const leaderId = app.proxy.exchanges()[0]!.id
  const call = await provider.next()
  const answers = [leader, await ask(), await ask()] as const
  assert.deepEqual(
    answers.map(({ headers }) => headers.get('x-cache')),
    ['miss', 'join', 'join'],
  )
  const readers = answers.map((response) => new Events(response))
  for (const reader of readers) for (let n = 0; n < 2; n++) assert.match((await reader.next())!, heartbeat)
  return { ...given, leave, leaderId, call, answers, readers }
}

describe('joining while the provider is silent, with heartbeat.beforeFirstByte', () => {
  test('leader and followers get a head and heartbeats at once, and then the same events', async (t) => {
    const { provider, call, readers } = await allSilent(t)
    call.sse()
    for (const event of all) {
      call.send(event)
      for (const reader of readers) assert.equal(await nextOf(reader), event)
    }
    call.end()
    for (const reader of readers) assert.deepEqual(await restOf(reader), [])
    assert.equal(provider.calls.length, 1)
  })

  test("the provider's error is everybody's, as an event", async (t) => {
    const { provider, call, readers } = await allSilent(t)
    call.json(401, { error: { message: 'invalid key', type: 'authentication_error', param: null, code: 'invalid' } })
    for (const reader of readers) {
      assert.equal(errorInEvent(await nextOf(reader)).message, 'invalid key')
      assert.deepEqual(await restOf(reader), [])
    }
    assert.equal(provider.calls.length, 1)
  })

  test('if the leader is stopped, one of the others asks, and the third follows that', async (t) => {
    const { provider, app, leaderId, call, readers } = await allSilent(t)
    app.proxy.abort(leaderId)
    await call.gone
    const [leader, ...others] = readers as [Events, Events, Events]
    assert.equal(errorInEvent(await nextOf(leader)).code, 'aborted')
    assert.deepEqual(await restOf(leader), [])
    const second = await provider.next()
    second.sse(events).end(terminator)
    for (const reader of others) assert.deepEqual(await restOf(reader), all)
    assert.equal(provider.calls.length, 2)
    const records = [await app.record(), await app.record(), await app.record()]
    assert.deepEqual(records.map(({ cache, outcome }) => `${cache} ${outcome}`).sort(), [
      'join completed',
      'miss completed',
      'miss rejected',
    ])
    assert.deepEqual([app.proxy.stats().streams, app.proxy.exchanges()], [0, []])
  })

  test('a leader that was stopped finds the error when it asks for its stream again', async (t) => {
    const { app, leaderId, answers } = await allSilent(t, { resume: { who: () => 'ada' } })
    const url = new URL(answers[0].headers.get('x-stream-url')!, app.url)
    const live = new Events(await fetch(url))
    app.proxy.abort(leaderId)
    const again = new Events(await fetch(url))
    for (const reader of [live, again]) {
      const rest = await restOf(reader)
      assert.deepEqual(
        rest.map((event) => errorInEvent(withoutId(event)).code),
        ['aborted'],
      )
    }
  })

  test('if the leader is stopped after content, the others end with the same error', async (t) => {
    const { provider, app, leaderId, call, readers } = await allSilent(t)
    call.sse(events.slice(0, 1))
    for (const reader of readers) assert.equal(await nextOf(reader), events[0])
    app.proxy.abort(leaderId)
    for (const reader of readers) {
      const rest = await restOf(reader)
      assert.deepEqual(
        rest.map((event) => errorInEvent(event).code),
        ['aborted'],
      )
    }
    assert.equal(provider.calls.length, 1)
  })

  test('the leader may leave: the others go on', async (t) => {
    const { provider, leave, call, readers, app } = await allSilent(t)
    leave.abort()
    await until(() => app.proxy.exchanges().some(({ phase }) => phase === 'draining'), 'the leader has left')
    call.sse(events).end(terminator)
    for (const reader of readers.slice(1)) assert.deepEqual(await restOf(reader), all)
    assert.equal(provider.calls.length, 1)
  })

  test('the request that takes over from a stopped leader can be continued', async (t) => {
    const { provider, app, leaderId, answers, readers } = await allSilent(t, { resume: { who: () => 'ada' } })
    app.proxy.abort(leaderId)
    const second = await provider.next()
    second.sse(events.slice(0, 2))
    for (const [at, reader] of readers.entries()) {
      if (at === 0) continue
      const url = new URL(answers[at]!.headers.get('x-stream-url')!, app.url)
      const first = (await nextOf(reader))!
      assert.equal(withoutId(first), events[0])
      const continued = new Events(await fetch(url, { headers: { 'last-event-id': idOf(first) } }))
      assert.equal(withoutId((await nextOf(continued))!), events[1])
    }
  })
})

describe('joining while the provider is silent, without heartbeat.beforeFirstByte', () => {
  test('nobody has a head before the provider sends one; then all have heartbeats before the first event', async (t) => {
    const { provider, app } = await started(t, { heartbeat: { everyMs: 5 } })
    const clients = [await connect(t, app.port), await connect(t, app.port)]
    clients[0]!.post(`/ai${path}`, request)
    const call = await provider.next()
    clients[1]!.post(`/ai${path}`, request)
    await until(() => app.proxy.exchanges().length === 2, 'the other has joined')
    for (let rounds = 0; rounds < 20; rounds++) await nextRound()
    assert.deepEqual(
      clients.map(({ text }) => text),
      ['', ''],
    )
    call.sse()
    for (const client of clients) await client.sees(/200 OK[\s\S]*: .*\n\n[\s\S]*: .*\n\n/)
    call.send(events[0])
    for (const client of clients) await client.sees(events[0])
  })

  test('if an attempt is silent after its head, all get heartbeats while a second target is asked', async (t) => {
    const { a, b, app } = await startPair(
      t,
      (call) => call.sse([ROLE]),
      () => {},
      {
        cache: { ttlMs: 1e6, scope: () => 'all' },
        joinIdentical: true,
        heartbeat: { everyMs: 5 },
        hedge: { afterMs: 1 },
        retry: { preamble: { ms: 20 } },
      },
    )
    const clients = [await connect(t, app.port), await connect(t, app.port)]
    clients[0]!.post(`/ai${path}`, request)
    await a.next()
    clients[1]!.post(`/ai${path}`, request)
    const call = await b.next()
    for (const client of clients) await client.sees(/200 OK[\s\S]*: .*\n\n[\s\S]*: .*\n\n/)
    call.sse(all).end()
    for (const client of clients) {
      const text = await client.sees(terminator)
      assert.equal(text.split('"role"').length, 1, 'what the first target began is in no answer')
    }
  })
})

describe('a stream that was opened while it waited in a queue', () => {
  test('is shared, kept, and can be continued', async (t) => {
    const policy = queue({ maxConcurrent: 1 })
    const { provider, app, ask } = await started(t, { policies: [policy], resume: { who: () => 'ada' } })
    await ask({ ...request, model: 'other' })
    const other = await provider.next()
    const leader = await ask()
    await until(() => policy.stats().waiting === 1, 'one waits')
    other.sse([terminator]).end()
    const call = await provider.next()
    const follower = await ask()
    assert.equal(follower.headers.get('x-cache'), 'join')
    call.sse(events.slice(0, 1))
    const readers = [new Events(leader), new Events(follower)]
    for (const reader of readers) assert.equal(withoutId((await nextOf(reader))!), events[0])
    const url = new URL(leader.headers.get('x-stream-url')!, app.url)
    readers.push(new Events(await fetch(url)))
    assert.equal(withoutId((await nextOf(readers[2]!))!), events[0])
    for (const event of all.slice(1)) call.send(event)
    call.end()
    for (const reader of readers) assert.deepEqual((await restOf(reader)).map(withoutId), all.slice(1))
    const hit = await ask()
    assert.equal(hit.headers.get('x-cache'), 'hit')
    assert.deepEqual((await restOf(new Events(hit))).map(withoutId), all)
  })

  for (const [what, cache] of [
    ['with cache', { ttlMs: 1e6, scope: () => 'all' }],
    ['without', undefined],
  ] as const) {
    test(`can be continued and stopped by the id of its head, ${what}`, async (t) => {
      const policy = queue({ maxConcurrent: 1 })
      const { provider, app, ask } = await started(t, {
        policies: [policy],
        resume: { who: () => 'ada' },
        cache,
        joinIdentical: false,
      })
      await ask({ ...request, model: 'other' })
      const other = await provider.next()
      const response = await ask()
      other.sse([terminator]).end()
      const call = (await provider.next()).sse(events.slice(0, 1))
      const reader = new Events(response)
      const first = (await nextOf(reader))!
      const url = new URL(response.headers.get('x-stream-url')!, app.url)
      const continued = new Events(await fetch(url, { headers: { 'last-event-id': idOf(first) } }))
      call.send(events[1])
      assert.equal(withoutId((await nextOf(continued))!), events[1])
      assert.equal((await fetch(url, { method: 'DELETE' })).status, 204)
      await call.gone
      for (const each of [reader, continued]) assert.match((await restOf(each)).at(-1)!, /"code":"aborted"/)
    })
  }
})
