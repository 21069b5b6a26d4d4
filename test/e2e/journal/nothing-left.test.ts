import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from '../support/app.js'
import { connect, Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { changedJournal } from './support.js'

const { path, events, terminator } = openai
const request = { ...openai.request, temperature: 0 }
const all = [...events, terminator]

describe('nothing of an exchange is left', () => {
  test('if its client leaves while it is about to join another', async (t) => {
    let proceed = () => {}
    const { journal, watched } = changedJournal()
    const provider = await startProvider(t)
    let asked = 0
    const app = await startApp(t, {
      target: provider.url,
      resume: {
        journal,
        who: () => (++asked === 1 ? 'ada' : new Promise((resolve) => (proceed = () => resolve('ada')))),
      },
      cache: { ttlMs: 1e6, scope: () => 'all' },
      joinIdentical: true,
    })
    const leading = post(app.url + path, request)
    const call = await provider.next()
    call.sse(events.slice(0, 1))
    const leader = await leading
    const leaving = await connect(t, app.port)
    leaving.post(`/ai${path}`, request)
    while (asked < 2) await new Promise(setImmediate)
    leaving.leave()
    const { outcome } = await app.record()
    assert.equal(outcome, 'client_disconnect')
    proceed()
    for (let round = 0; round < 5; round++) await new Promise(setImmediate)
    assert.equal(watched.now, 0)
    call.end(terminator)
    await leader.text()
  })

  test('if the app’s function fails while it asks to lead', async (t) => {
    t.mock.method(process, 'emitWarning', () => {})
    // Another is always faster.
    const { journal } = changedJournal((memory) => ({
      put: (name, value, ttlMs, ifAbsent) => (ifAbsent ? false : memory.put(name, value, ttlMs)),
    }))
    const provider = await startProvider(t)
    let asked = 0
    let hasLeader = false
    journal.get = (name) => (name.startsWith('j:') && hasLeader ? 'AAAAAAAAAAAAAAAAAAAAAA' : undefined)
    const app = await startApp(t, {
      target: provider.url,
      resume: {
        journal,
        who: () => {
          hasLeader = true
          if (++asked > 1) throw new Error('the database is away')
          return 'ada'
        },
      },
      cache: { ttlMs: 1e6, scope: () => 'all' },
      joinIdentical: true,
    })
    assert.equal((await post(app.url + path, request)).status, 500)
    assert.equal(journal.stats().entries, 0)
  })

  test('after readers have left, or have read all', async (t) => {
    const { journal, watched } = changedJournal()
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, resume: { journal, who: () => 'ada' } })
    const asked = post(app.url + path, request)
    const call = await provider.next()
    call.sse(events.slice(0, 1))
    const response = await asked
    const url = new URL(response.headers.get('x-stream-url')!, app.url)
    const leave = new AbortController()
    const [leaving, staying] = await Promise.all([fetch(url, { signal: leave.signal }), fetch(url)])
    await new Events(leaving).next()
    assert.equal(watched.now, 2)
    leave.abort()
    await app.record()
    assert.equal(watched.now, 1)
    for (const event of events.slice(1)) call.send(event)
    call.end(terminator)
    assert.equal((await new Events(staying).rest()).length, all.length)
    await response.text()
    assert.equal(watched.now, 0)
  })
})

test('an answer that is replaced goes on for those who read it', async (t) => {
  const provider = await startProvider(t, { onCall: (call) => call.sse(events).end(terminator) })
  const cache = { ttlMs: 1e6, scope: () => 'all', pace: { tokensPerSecond: 30 } }
  const app = await startApp(t, { target: provider.url, cache })
  await (await post(app.url + path, request)).text()
  const slow = await post(app.url + path, request)
  assert.equal(slow.headers.get('x-cache'), 'hit')
  const reader = new Events(slow)
  const first = await reader.next()
  await (await post(app.url + path, request, { headers: { 'cache-control': 'no-cache' } })).text()
  assert.deepEqual([first, ...(await reader.rest())], all)
  assert.equal(provider.calls.length, 2)
})
