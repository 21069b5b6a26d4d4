import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import type { Call } from '../support/provider.js'
import { ANSWER, answer, attemptsOf, ROLE, refuse, startPair } from '../support/targets.js'
import { within } from '../support/waiting.js'

const ask = (url: string) => within(post(url + openai.path, openai.request), 'the answer')
const [hel, lo] = openai.events
const retry = { attempts: 2 }

describe('the next target answers', () => {
  test('if the first one does not begin to answer within `firstByteTimeoutMs`', async (t) => {
    const { a, app } = await startPair(t, () => {}, answer, { retry, limits: { firstByteTimeoutMs: 300 } })
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    assert.deepEqual(attemptsOf(await app.record()), ['a first_byte_timeout', 'b'])
    await a.calls[0]!.gone
  })

  test('if the first one does not begin to write within `firstTokenTimeoutMs`, whatever else it sends', async (t) => {
    const { a, app } = await startPair(t, (call) => call.sse([ROLE, ': ping\n\n']), answer, {
      retry,
      limits: { firstTokenTimeoutMs: 300 },
    })
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    assert.deepEqual(attemptsOf(await app.record()), ['a first_token_timeout', 'b'])
    await a.calls[0]!.gone
  })
})

describe('no other target is asked', () => {
  test('after content, if it stops for `progressTimeoutMs`: pings are no progress', async (t) => {
    const { b, app } = await startPair(t, (call) => call.sse([hel, ': ping\n\n']), answer, {
      retry,
      limits: { progressTimeoutMs: 50 },
    })
    const text = await (await ask(app.url)).text()
    assert.ok(text.startsWith(hel) && /stopped writing/.test(text), text)
    const { outcome, code, limit } = await app.record()
    assert.deepEqual(
      [outcome, code, limit, b.calls.length],
      ['limit_exceeded', 'progress_timeout', 'progressTimeoutMs', 0],
    )
  })
})

describe('an answer without content is held back', () => {
  /** What the client has got when the bound is reached, and then the rest. */
  const begins = (...events: string[]) => {
    let call: Call | undefined
    const onCall = (each: Call) => {
      call = each.sse(events)
    }
    return { onCall, end: () => call!.send(lo).end(openai.terminator) }
  }

  test('for as many events as `preamble.events`', async (t) => {
    const { onCall, end } = begins(ROLE, ROLE, ROLE)
    const { b, app } = await startPair(t, onCall, answer, { retry: { preamble: { events: 3, ms: 60_000 } } })
    const events = new Events(await ask(app.url))
    for (let at = 0; at < 3; at++) assert.equal(await events.next(), ROLE)
    end()
    assert.deepEqual([await events.next(), await events.next()], [lo, openai.terminator])
    assert.equal(b.calls.length, 0)
  })

  test('for as many bytes as `preamble.bytes`', async (t) => {
    const long = `: ${'x'.repeat(1000)}\n\n`
    const { onCall, end } = begins(long)
    const { app } = await startPair(t, onCall, answer, { retry: { preamble: { bytes: 1000, ms: 60_000 } } })
    const events = new Events(await ask(app.url))
    assert.equal(await events.next(), long)
    end()
    assert.deepEqual(await events.rest(), [lo, openai.terminator])
  })

  test('for `preamble.ms`', async (t) => {
    const { onCall, end } = begins(ROLE)
    const { app } = await startPair(t, onCall, answer, { retry: { preamble: { ms: 20 } } })
    const events = new Events(await ask(app.url))
    assert.equal(await events.next(), ROLE)
    end()
    assert.deepEqual(await events.rest(), [lo, openai.terminator])
  })

  test('and no longer: a failure after it is the client’s', async (t) => {
    const { a, b, app } = await startPair(t, (call) => call.sse([ROLE]), answer, { retry: { preamble: { ms: 20 } } })
    const events = new Events(await ask(app.url))
    assert.equal(await events.next(), ROLE)
    a.calls[0]!.reset()
    assert.equal(openai.errorInEvent(await events.next()).code, 'upstream_reset')
    assert.deepEqual([attemptsOf(await app.record()), b.calls.length], [['a upstream_reset'], 0])
  })
})

describe('the status may be committed before the content:', () => {
  const heartbeat = { everyMs: 5, beforeFirstByte: true }

  test('with heartbeats before the first byte, the next target answers all the same', async (t) => {
    const { a, app } = await startPair(t, undefined, answer, { heartbeat, retry })
    const response = await ask(app.url)
    assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'text/event-stream; charset=utf-8'])
    const events = new Events(response)
    assert.match((await events.next()) ?? '', /^:/)
    refuse(500)(await a.next())
    const rest = (await events.rest()).filter((event) => !event.startsWith(':'))
    assert.equal(rest.join(''), ANSWER)
    const record = await app.record()
    assert.deepEqual([attemptsOf(record), record.outcome, record.status], [['a 500', 'b'], 'completed', 200])
  })

  test('and if all fail then, the error comes as an event', async (t) => {
    const { a, app } = await startPair(t, undefined, refuse(500), { heartbeat, retry })
    const events = new Events(await ask(app.url))
    assert.match((await events.next()) ?? '', /^:/)
    refuse(503, 'the first says')(await a.next())
    const rest = (await events.rest()).filter((event) => !event.startsWith(':'))
    assert.match(rest.join(''), /^data: .*"error".*\n\n$/)
    assert.equal((await app.record()).outcome, 'provider_error')
  })

  test('after the silence of `preamble.ms`, an error event still leads to the next target', async (t) => {
    const { a, app } = await startPair(t, (call) => call.sse([': ping\n\n']), answer, {
      retry: { attempts: 2, preamble: { ms: 20 } },
    })
    // The head comes, and nothing else.
    const response = await ask(app.url)
    assert.equal(response.status, 200)
    const call = a.calls[0]!
    call.send(`data: ${JSON.stringify({ error: { message: 'Overloaded', code: 'server_error' } })}\n\n`).end()
    const events = (await new Events(response).rest()).filter((event) => !event.startsWith(':'))
    assert.equal(events.join(''), ANSWER)
    assert.deepEqual(attemptsOf(await app.record()), ['a upstream_error', 'b'])
  })
})
