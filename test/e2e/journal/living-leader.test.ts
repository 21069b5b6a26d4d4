import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Journal, JournalPage } from '../../../lib/api/journal.js'
import type { AiProxyOptions } from '../../../lib/index.js'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { until, within } from '../support/waiting.js'
import { changedJournal } from './support.js'

const { path, events, terminator } = openai
const request = { ...openai.request, temperature: 0 }
const all = [...events, terminator]

type Read = (read: () => JournalPage) => JournalPage | Promise<JournalPage>

/** A leader has one event; how the journal is read can be changed from then on. */
async function led(t: TestContext, options: Partial<AiProxyOptions> = {}) {
  const how: { read: Read | undefined } = { read: undefined }
  const { journal } = changedJournal((memory: Journal) => ({
    read: (id, after, maxBytes) => {
      const read = () => memory.read(id, after, maxBytes) as JournalPage
      return how.read ? how.read(read) : read()
    },
  }))
  const provider = await startProvider(t)
  const app = await startApp(t, {
    target: provider.url,
    cache: { journal, ttlMs: 1e6, scope: () => 'all' },
    joinIdentical: true,
    ...options,
  } as AiProxyOptions)
  const ask = (signal?: AbortSignal) => within(post(app.url + path, request, signal && { signal }), 'a head', 5000)
  const leading = ask()
  const call = await provider.next()
  call.sse(events.slice(0, 1))
  const leader = new Events(await leading)
  assert.equal(await leader.next(), events[0])
  const leases = async () => (await journal.list('j:')).map(([, entry]) => entry)
  const [lease] = await leases()
  assert.ok(lease)
  const finish = async (readers: readonly Events[]) => {
    for (const event of events.slice(1)) call.send(event)
    call.end(terminator)
    assert.deepEqual(await leader.rest(), all.slice(1))
    for (const reader of readers) assert.deepEqual(await reader.rest(), all)
    await until(() => app.proxy.exchanges().length === 0, 'all have ended')
    assert.deepEqual(await leases(), [])
  }
  return { provider, app, ask, call, leases, lease, finish, how }
}

describe('requests go on to join one that is under way', () => {
  test('after a limit has refused another that would join', async (t) => {
    const { provider, app, ask, leases, lease, finish } = await led(t, { limits: { maxConcurrentStreams: 2 } })
    const leave = new AbortController()
    await ask(leave.signal)
    const refused = await ask()
    assert.equal(refused.status, 503)
    assert.match(await refused.text(), /too_many_streams/)
    const { code, cache } = await app.record()
    assert.deepEqual([code, cache], ['too_many_streams', 'join'])
    assert.deepEqual(await leases(), [lease])
    leave.abort()
    await app.record()
    const joined = await ask()
    assert.equal(joined.headers.get('x-cache'), 'join')
    await finish([new Events(joined)])
    assert.equal(provider.calls.length, 1)
  })

  test('after a read of the journal has failed, and so do its readers', async (t) => {
    const { provider, ask, leases, lease, finish, how } = await led(t)
    how.read = () => {
      how.read = undefined
      return Promise.reject(new Error('the store is away'))
    }
    const joined = [await ask(), await ask()]
    assert.deepEqual(
      joined.map(({ headers }) => headers.get('x-cache')),
      ['join', 'join'],
    )
    assert.deepEqual(await leases(), [lease])
    await finish(joined.map((each) => new Events(each)))
    assert.equal(provider.calls.length, 1)
  })

  const unreadable: Readonly<Record<string, Read>> = {
    'the journal rejects': () => Promise.reject(new Error('the store is away')),
    'the journal throws': () => {
      throw new Error('the store is away')
    },
    'its beginning is not kept any more': (read) => ({ ...read(), oldest: 3, newest: 3, batches: [] }),
    'the entry is broken': (read) => ({ ...read(), about: 'no JSON' }),
  }
  for (const [what, read] of Object.entries(unreadable)) {
    test(`while another asks the provider itself because ${what}`, async (t) => {
      const { provider, ask, leases, lease, finish, how } = await led(t)
      how.read = read
      const asking = ask()
      const second = await provider.next()
      how.read = undefined
      assert.deepEqual(await leases(), [lease])
      const joined = await ask()
      assert.equal(joined.headers.get('x-cache'), 'join')
      second.sse(events).end(terminator)
      assert.deepEqual(await new Events(await asking).rest(), all)
      assert.deepEqual(await leases(), [lease])
      await finish([new Events(joined)])
      assert.equal(provider.calls.length, 2)
    })
  }
})

const dead: Readonly<Record<string, Read>> = {
  'its process is gone': (read) => ({ ...read(), state: 'lost', newest: 0, batches: [] }),
  'its process is gone after its first event': (read) => ({ ...read(), state: 'lost' }),
  'its process is gone, and its beginning is not kept': (read) => ({
    ...read(),
    state: 'lost',
    oldest: 3,
    newest: 3,
    batches: [],
  }),
}
for (const [what, read] of Object.entries(dead)) {
  test(`a request takes the place of one that leads no more: ${what}`, async (t) => {
    const { provider, ask, leases, lease, how } = await led(t)
    how.read = read
    const asking = ask()
    const second = await provider.next()
    how.read = undefined
    const now = await leases()
    assert.equal(now.length, 1)
    assert.notEqual(now[0], lease)
    second.sse(events).end(terminator)
    assert.deepEqual(await new Events(await asking).rest(), all)
  })
}
