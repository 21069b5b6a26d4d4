import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { connect, type RawClient } from '../support/client.js'
import { openai } from '../support/protocols.js'
import type { Call, Owner } from '../support/provider.js'
import { until } from '../support/waiting.js'
import { type LegacyApp, signIn, startLegacyApp } from './running.js'

const path = `/ai/openai${openai.path}`
const streamsPerWorker = 2

interface Stream {
  readonly client: RawClient
  readonly call: Call
}

/** Asks on new connections, of which each worker gets its share, until nobody has room for a stream any more. */
async function fill(t: Owner, app: LegacyApp, cookie: string): Promise<{ streams: Stream[]; refused: number }> {
  const streams: Stream[] = []
  for (let refused = 0; ; ) {
    const client = await connect(t, app.port)
    const headers = { cookie, connection: 'close', 'content-type': 'application/json' }
    client.request('POST', path, headers, JSON.stringify(openai.request))
    await until(() => app.openai.calls.length > streams.length || /^HTTP/.test(client.text), 'it is let in, or not')
    const call = app.openai.calls[streams.length]
    if (call) {
      call.sse([openai.events[0]])
      await client.sees('Hel')
      streams.push({ client, call })
      continue
    }
    refused++
    assert.match(await client.end(), /^HTTP\/1\.1 503 [\s\S]*too_many_streams/)
    const full = (await app.stats()).filter((worker) => worker.outcomes.limit_exceeded > 0)
    if (full.length === 2) return { streams, refused }
    assert.ok(refused < 100, 'one of the workers gets nothing to do')
  }
}

describe("two workers of Node's cluster", () => {
  test('have their own limits, and end their exchanges when asked to shut down', async (t) => {
    const settings = { MAX_STREAMS: String(streamsPerWorker) }
    const app = await startLegacyApp(t, 'cluster', settings)
    const { streams, refused } = await fill(t, app, await signIn(app.url))

    const workers = await app.stats()
    assert.equal(new Set(workers.map(({ pid }) => pid)).size, 2)
    for (const { streams, active } of workers) assert.deepEqual([streams, active], [streamsPerWorker, streamsPerWorker])
    assert.equal(streams.length, 2 * streamsPerWorker)
    const exchanges = workers.reduce((sum, worker) => sum + worker.exchanges, 0)
    assert.equal(exchanges, streams.length + refused)

    app.child.kill('SIGTERM')
    const closing = [await app.closing.next(), await app.closing.next()]
    assert.deepEqual(closing.sort(), workers.map(({ pid }) => pid).sort())
    const [early, late] = [streams.slice(0, 3), streams.slice(3)]
    for (const { client, call } of early) {
      call.end(openai.terminator)
      assert.match(await client.end(), /\[DONE\]\n\n\r\n0\r\n\r\n$/)
    }
    // Those that are left get their end when whoever stops the app is in a hurry.
    app.child.kill('SIGTERM')
    for (const { client, call } of late) {
      assert.match(await client.end(), /shutting_down[^\n]*\n\n\r\n0\r\n\r\n$/)
      await call.gone
    }
    const { code, complaints } = await app.over
    assert.deepEqual([code, complaints], [0, ''])
    const exits = await app.exits.next()
    assert.deepEqual(
      exits.map(({ code, signal }) => [code, signal]),
      [
        [0, null],
        [0, null],
      ],
    )

    const count = (outcome: string) => app.records.all.filter((record) => record.outcome === outcome).length
    assert.equal(app.records.all.length, exchanges)
    assert.equal(new Set(app.records.all.map(({ id }) => id)).size, exchanges)
    assert.deepEqual(
      [count('completed'), count('shutdown'), count('limit_exceeded')],
      [early.length, late.length, refused],
    )
  })
})
