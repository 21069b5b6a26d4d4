/** What other gateways got wrong, by the reports of their users. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Journal, JournalPage } from '../../../lib/api/journal.js'
import { memoryJournal } from '../../../lib/journal.js'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'

const { path, request, events, terminator } = openai
const withoutId = (event: string) => event.replace(/^id: .*\n/, '')

describe('readers of a stream', () => {
  test('do not wait for ever if the provider breaks off: all get the same error event, and the end', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, resume: { who: () => 'ada' } })
    const asked = post(app.url + path, request)
    const call = await provider.next()
    call.sse(events.slice(0, 2))
    const response = await asked
    const url = new URL(response.headers.get('x-stream-url')!, app.url)
    const readers = [new Events(response), new Events(await fetch(url)), new Events(await fetch(url))]
    for (const reader of readers) assert.equal(withoutId((await reader.next())!), events[0])
    call.reset()
    const ends = await Promise.all(readers.map(async (reader) => (await reader.rest()).at(-1)!))
    for (const end of ends) assert.match(end, /^id: \S+\.3\ndata: .*"code":"upstream_reset"/)
    assert.equal(new Set(ends).size, 1)
    const late = await new Events(await fetch(url)).rest()
    assert.equal(late.at(-1), ends[0])
  })

  test('get an error event if the process that writes it is gone', async (t) => {
    const memory = memoryJournal()
    const watchers = new Set<() => void>()
    let isLost = false
    const journal: Journal = Object.create(memory, {
      read: {
        value: (id: string, after: number, maxBytes: number): JournalPage => {
          const page = memory.read(id, after, maxBytes) as JournalPage
          return isLost ? { ...page, state: 'lost' } : page
        },
      },
      watch: {
        value: (id: string, callback: () => void) => {
          watchers.add(callback)
          return memory.watch(id, callback)
        },
      },
      ...Object.fromEntries(
        (['create', 'stop', 'keep', 'remove', 'put', 'get', 'drop', 'list', 'stats', 'close'] as const).map((name) => [
          name,
          { value: (memory[name] as (...args: unknown[]) => unknown).bind(memory) },
        ]),
      ),
    })
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, resume: { journal, who: () => 'ada' } })
    const asked = post(app.url + path, request)
    const call = await provider.next()
    call.sse(events.slice(0, 1))
    const response = await asked
    const reader = new Events(await fetch(new URL(response.headers.get('x-stream-url')!, app.url)))
    assert.equal(withoutId((await reader.next())!), events[0])
    isLost = true
    for (const callback of watchers) callback()
    assert.match((await reader.rest()).at(-1)!, /"code":"stream_lost"/)
    call.end(terminator)
  })
})

describe('a cache', () => {
  test('gives no stream to a client that asks for JSON, and the reverse', async (t) => {
    const answer = { choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }] }
    const provider = await startProvider(t, {
      onCall: async (call) => {
        const { stream } = JSON.parse(await call.text) as { stream?: boolean }
        if (stream) call.sse(events).end(terminator)
        else call.json(200, answer)
      },
    })
    // The app's own key makes both the same.
    const cache = { ttlMs: 1e6, scope: () => 'all', key: () => 'one', when: () => true }
    const app = await startApp(t, { target: provider.url, cache })
    for (let round = 0; round < 2; round++) {
      const stream = await post(app.url + path, request)
      assert.match(stream.headers.get('content-type')!, /event-stream/)
      assert.deepEqual(await new Events(stream).rest(), [...events, terminator])
      const json = await post(app.url + path, { ...request, stream: false })
      assert.match(json.headers.get('content-type')!, /json/)
      assert.deepEqual(await json.json(), answer)
    }
    assert.equal(provider.calls.length, 2)
  })

  test('replays a stream event by event, not as one lump, if it is asked to', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.sse(events).end(terminator) })
    const cache = { ttlMs: 1e6, scope: () => 'all', when: () => true, pace: { tokensPerSecond: 20 } }
    const app = await startApp(t, { target: provider.url, cache })
    await (await post(app.url + path, request)).text()
    const response = await post(app.url + path, request)
    assert.equal(response.headers.get('x-cache'), 'hit')
    let pieces = 0
    let text = ''
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      pieces++
      text += piece
    }
    assert.equal(text, [...events, terminator].join(''))
    assert.ok(pieces > 1)
  })
})
