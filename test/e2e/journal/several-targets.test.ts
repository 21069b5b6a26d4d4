import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions } from '../../../lib/index.js'
import { memoryJournal } from '../../../lib/journal.js'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import type { Call } from '../support/provider.js'
import { ANSWER, answer, attemptsOf, ROLE, refuse, startPair } from '../support/targets.js'
import { until, within } from '../support/waiting.js'

const { path, errorInEvent } = openai
const request = { ...openai.request, temperature: 0 }
const all = ANSWER.split(/(?<=\n\n)/)

async function started(t: TestContext, onB?: (call: Call) => unknown, options: Partial<AiProxyOptions> = {}) {
  const journal = memoryJournal()
  t.after(() => journal.close())
  // The test answers what the first is asked first.
  let calls = 0
  const onA = (call: Call) => calls++ > 0 && refuse(500, 'the first again')(call)
  const pair = await startPair(t, onA, onB, {
    cache: { journal, ttlMs: 1e6, scope: () => 'all' },
    joinIdentical: true,
    ...options,
  })
  const { app } = pair
  const ask = () => within(post(app.url + path, request), 'the head')
  /** Asks, and has another join once the first leads. */
  const askTwice = async () => {
    const leading = ask()
    await until(() => app.proxy.exchanges().length === 1, 'one asks')
    await until(() => pair.a.calls.length === 1, 'it leads')
    const joining = ask()
    await until(() => app.proxy.exchanges().length === 2, 'another asks')
    return [leading, joining] as const
  }
  return { ...pair, journal, ask, askTwice }
}

const textsOf = (answers: readonly Promise<Response>[]) =>
  Promise.all(answers.map(async (response) => (await response).text()))

describe('an answer of several targets', () => {
  test('of which the first refuses, is shared and kept once: that of the second', async (t) => {
    const { a, b, app, journal, ask, askTwice } = await started(t)
    const answers = await askTwice()
    refuse(500)(await a.next())
    assert.deepEqual(await textsOf(answers), [ANSWER, ANSWER])
    const records = [await app.record(), await app.record()]
    const led = records.find(({ cache }) => cache === 'miss')!
    assert.deepEqual(attemptsOf(led), ['a 500', 'a 500', 'b'])
    assert.deepEqual(attemptsOf(records.find(({ cache }) => cache === 'join')!), [])
    assert.equal(journal.stats().entries, 1)
    const hit = await ask()
    assert.equal(hit.headers.get('x-cache'), 'hit')
    assert.equal(await hit.text(), ANSWER)
    assert.deepEqual([a.calls.length, b.calls.length], [2, 1])
  })

  test('of which the first breaks off before its content, has one beginning', async (t) => {
    const { a, app, ask, askTwice } = await started(t)
    const answers = await askTwice()
    const call = (await a.next()).sse([ROLE])
    await until(() => call.res.writableLength === 0, 'the beginning is sent')
    call.reset()
    // The role of the attempt that was given up is in none of them.
    assert.deepEqual(await textsOf(answers), [ANSWER, ANSWER])
    const records = [await app.record(), await app.record()]
    assert.deepEqual(attemptsOf(records.find(({ cache }) => cache === 'miss')!), ['a upstream_reset', 'a 500', 'b'])
    const hit = await ask()
    assert.equal(hit.headers.get('x-cache'), 'hit')
    assert.equal(await hit.text(), ANSWER)
  })

  test('of which the second was faster, leaves nothing of the first in the journal', async (t) => {
    const { a, b, app, journal, ask, askTwice } = await started(t, () => {}, { hedge: { afterMs: 1 } })
    const answers = await askTwice()
    const first = (await a.next()).sse([ROLE])
    const second = await b.next()
    await until(() => first.res.writableLength === 0, 'the first has sent its beginning')
    answer(second)
    assert.deepEqual(await textsOf(answers), [ANSWER, ANSWER])
    await first.gone
    const records = [await app.record(), await app.record()]
    assert.deepEqual(attemptsOf(records.find(({ cache }) => cache === 'miss')!), ['a outrun', 'b'])
    const hit = await ask()
    assert.deepEqual([hit.headers.get('x-cache'), await hit.text()], ['hit', ANSWER])
    assert.deepEqual([a.calls.length, b.calls.length, journal.stats().entries], [1, 1, 1])
  })

  test('is followed event by event after a retry, with heartbeats before it', async (t) => {
    const { a, b, app } = await started(t, () => {}, {
      heartbeat: { everyMs: 5, beforeFirstByte: true },
      retry: { backoffMs: [0, 0] },
    })
    const readers = [new Events(await post(app.url + path, request)), new Events(await post(app.url + path, request))]
    const isHeartbeat = (event: string) => event.startsWith(':')
    for (const reader of readers) assert.ok(isHeartbeat((await reader.next())!))
    refuse(503)(await a.next())
    const call = (await b.next()).sse()
    for (const event of all) {
      call.send(event)
      for (const reader of readers) {
        let got = (await reader.next())!
        while (isHeartbeat(got)) got = (await reader.next())!
        assert.equal(got, event)
      }
    }
    call.end()
  })

  for (const beforeFirstByte of [false, true]) {
    for (const [what, fail] of [
      ['refuses', refuse(500)],
      ['breaks off', (call: Call) => call.reset()],
    ] as const) {
      test(`is the second's for one who joined, if the first ${what} after its client has left${beforeFirstByte ? ', early' : ''}`, async (t) => {
        const { a, app } = await started(t, answer, { heartbeat: { beforeFirstByte } })
        const leaving = new AbortController()
        const led = post(app.url + path, request, { signal: leaving.signal }).catch(() => {})
        const call = await a.next()
        const joining = post(app.url + path, request)
        await until(() => app.proxy.exchanges()[1]?.phase === 'waiting', 'another waits for the answer')
        leaving.abort()
        await led
        await until(() => app.proxy.exchanges().some(({ phase }) => phase === 'draining'), 'the first has left')
        fail(call)
        const joined = await within(joining, 'the head')
        assert.equal(joined.headers.get('x-cache'), 'join')
        assert.equal((await joined.text()).replaceAll(/^:.*\n\n/gm, ''), ANSWER)
        const records = [await app.record(), await app.record()]
        const first = records.find(({ cache }) => cache === 'miss')!
        assert.deepEqual([first.outcome, first.target, first.attempts.length], ['client_disconnect', 'b', 3])
        assert.equal(records.find(({ cache }) => cache === 'join')?.outcome, 'completed')
      })
    }
  }

  test('is waited for without the client that asked first, which the list of exchanges says', async (t) => {
    const { a, b, app } = await started(t, () => {}, { retry: { backoffMs: [0, 0] } })
    const leaving = new AbortController()
    const led = post(app.url + path, request, { signal: leaving.signal }).catch(() => {})
    const call = await a.next()
    const joining = post(app.url + path, request)
    const phases = () => app.proxy.exchanges().map(({ phase }) => phase)
    await until(() => phases()[1] === 'waiting', 'another waits for the answer')
    leaving.abort()
    await led
    await until(() => phases()[0] === 'draining', 'the first has left')
    refuse(500)(call)
    const second = await b.next()
    assert.equal(phases()[0], 'draining')
    answer(second)
    assert.equal(await (await joining).text(), ANSWER)
    await app.record()
    await app.record()
  })

  for (const hedge of [undefined, { afterMs: 100 }]) {
    const what = hedge ? 'is silent' : 'refuses'
    test(`is the second's for one who continues, if the first ${what} after its client has left`, async (t) => {
      const { a, app } = await startPair(t, undefined, answer, {
        resume: { who: () => 'me' },
        heartbeat: { everyMs: 5, beforeFirstByte: true },
        retry: { attempts: 2 },
        ...(hedge && { hedge }),
      })
      const leaving = new AbortController()
      const { headers } = await post(app.url + path, request, { signal: leaving.signal })
      const call = await a.next()
      leaving.abort()
      await until(() => app.proxy.exchanges()[0]?.phase === 'draining', 'the client has left')
      const reading = fetch(new URL(headers.get('x-stream-url')!, app.url))
      if (!hedge) refuse(500)(call)
      const text = await (await reading).text()
      assert.equal(text.replaceAll(/^(?::.*\n\n|id: .*\n)/gm, ''), ANSWER)
    })
  }

  test('that all fail is the same error for everybody, and is not kept', async (t) => {
    const { a, app, ask, askTwice } = await started(t, refuse(503, 'the second'))
    const answers = await askTwice()
    refuse(500, 'the first')(await a.next())
    const responses = await Promise.all(answers)
    assert.deepEqual(new Set(responses.map(({ status }) => status)), new Set([500]))
    for (const response of responses) assert.equal(((await response.json()) as Said).error.message, 'the first')
    await app.record()
    await app.record()
    assert.equal((await ask()).headers.get('x-cache'), 'miss')
  })

  test('that breaks off after its content ends for all with the same event', async (t) => {
    const { a, b, app } = await started(t, undefined, { hedge: { afterMs: 60_000 } })
    const leading = post(app.url + path, request)
    const call = (await a.next()).sse(all.slice(0, 2))
    const readers = [new Events(await leading), new Events(await post(app.url + path, request))]
    for (const reader of readers) for (const event of all.slice(0, 2)) assert.equal(await reader.next(), event)
    call.reset()
    for (const reader of readers) {
      assert.equal(errorInEvent(await reader.next()).code, 'upstream_reset')
      assert.equal(await reader.next(), undefined)
    }
    assert.equal(b.calls.length, 0)
  })
})

interface Said {
  readonly error: { readonly message: string }
}
