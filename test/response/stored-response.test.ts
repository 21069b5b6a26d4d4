import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { readWhole, storedResponse } from '../../lib/response/stored-response.js'
import { settled } from '../support/event-loop.js'
import { ManualTimers } from '../support/manual-timers.js'
import { rig } from './controlling.js'
import { bodyOf, JSON_TYPE, ScriptedResponse } from './preamble-rig.js'

const BODY = '{"error":{"message":"Slow down"}}'

describe('a response in memory', () => {
  test('has the head of the other, with the length of its own body', async () => {
    const of = new ScriptedResponse({ ...JSON_TYPE, 'retry-after': '3', trailer: 'x-sum' }, 429)
    const stored = storedResponse(of, Buffer.from(BODY))
    const headers = { ...JSON_TYPE, 'retry-after': '3', 'content-length': String(BODY.length) }
    assert.deepEqual({ ...stored.headers }, headers)
    assert.deepEqual(stored.rawHeaders, [
      ...['content-type', 'application/json', 'retry-after', '3'],
      ...['Content-Length', String(BODY.length)],
    ])
    assert.deepEqual(
      [stored.statusCode, stored.statusMessage, stored.httpVersion, stored.complete, stored.socket],
      [429, 'OK', '1.1', true, undefined],
    )
    assert.deepEqual(await bodyOf(stored), { text: BODY, isBroken: false })
    assert.equal(of.headers['transfer-encoding'], 'chunked', 'the other is unchanged')
  })

  test('has no length with a status that has none, and keeps the one that is about another request', () => {
    const headersOf = (headers: Record<string, string>, status: number) =>
      storedResponse(new ScriptedResponse(headers, status), Buffer.alloc(0)).headers
    assert.deepEqual({ ...headersOf({}, 204) }, {})
    assert.deepEqual({ ...headersOf({ 'content-length': '500' }, 200) }, { 'content-length': '500' })
    assert.deepEqual({ ...headersOf({}, 200) }, { 'content-length': '0' })
  })

  test('is forwarded like any other', async (t) => {
    const { delivery, res, run } = rig(t)
    delivery.begin(storedResponse(new ScriptedResponse(JSON_TYPE, 429), Buffer.from(BODY)))
    await run()
    assert.deepEqual([res.statusCode, res.body, res.getHeader('content-length')], [429, BODY, String(BODY.length)])
  })

  test('is forwarded with no body', async (t) => {
    const { delivery, res, run } = rig(t)
    delivery.begin(storedResponse(new ScriptedResponse(JSON_TYPE, 503), Buffer.alloc(0)))
    await run()
    assert.deepEqual([res.statusCode, res.body, res.writableEnded], [503, '', true])
  })

  test('is forwarded while a hook of the app is awaited, and after it', async (t) => {
    let answer = () => {}
    const { delivery, res, run } = rig(t, { onResponse: () => new Promise<void>((resolve) => (answer = resolve)) })
    delivery.begin(storedResponse(new ScriptedResponse(JSON_TYPE, 429), Buffer.from(BODY)))
    await run()
    assert.equal(res.headersSent, false)
    answer()
    await run()
    assert.deepEqual([res.statusCode, res.body], [429, BODY])
  })

  test('is forwarded decoded if it is compressed', async (t) => {
    const { delivery, res, run } = rig(t)
    const of = new ScriptedResponse({ ...JSON_TYPE, 'content-encoding': 'gzip' }, 429)
    const ended = new Promise((resolve) => {
      const { end } = res
      res.end = (last) => {
        resolve(undefined)
        return end.call(res, last)
      }
    })
    delivery.begin(storedResponse(of, gzipSync(BODY)))
    // Zlib decodes in a thread of its own.
    let isEnded = false
    void ended.then(() => (isEnded = true))
    while (!isEnded) await run()
    assert.deepEqual([res.statusCode, res.body], [429, BODY])
  })
})

describe('reading a whole response', () => {
  function reading(response: ScriptedResponse, maxBytes = 1000) {
    const timers = new ManualTimers()
    const results: (IncomingMessage | undefined)[] = []
    readWhole(response, maxBytes, 500, (stored) => results.push(stored), timers)
    return { timers, results }
  }

  test('returns it in memory, with its end read, so that its connection is free', async () => {
    const response = new ScriptedResponse(JSON_TYPE, 429)
    const { results, timers } = reading(response)
    response.send(BODY.slice(0, 9))
    await settled()
    assert.deepEqual(results, [])
    response.send(BODY.slice(9)).finish()
    await settled()
    assert.equal(response.readableEnded, true)
    assert.equal(results.length, 1)
    assert.deepEqual(await bodyOf(results[0]!), { text: BODY, isBroken: false })
    assert.equal(timers.pending, 0)
  })

  test('keeps a compressed body as it is', async () => {
    const response = new ScriptedResponse({ ...JSON_TYPE, 'content-encoding': 'gzip' }, 429)
    const { results } = reading(response)
    response.send(gzipSync(BODY)).finish()
    await settled()
    const { text } = await bodyOf(results[0]!)
    assert.equal(gunzipSync(Buffer.from(text, 'latin1')).toString(), BODY)
    assert.equal(results[0]!.headers['content-encoding'], 'gzip')
  })

  for (const [what, act] of [
    ['breaks off', ({ response }) => response.send('{"er').break()],
    ['takes too long', ({ response, timers }) => void (response.send('{"er') && timers.advance(500))],
    ['is too large', ({ response }) => void response.send('x'.repeat(1001))],
  ] as [string, (given: { response: ScriptedResponse; timers: ManualTimers }) => void][]) {
    test(`returns nothing if it ${what}, once`, async () => {
      const response = new ScriptedResponse(JSON_TYPE, 429)
      const { results, timers } = reading(response)
      act({ response, timers })
      await settled()
      assert.deepEqual(results, [undefined])
      response.destroy()
      timers.advance(1000)
      await settled()
      assert.deepEqual(results, [undefined])
      assert.equal(timers.pending, 0)
    })
  }

  test('reads nothing of one that is too large by its head, or that has broken off before', async () => {
    const large = new ScriptedResponse({ ...JSON_TYPE, 'content-length': '1001' }, 429)
    const broken = new ScriptedResponse(JSON_TYPE, 429)
    broken.on('error', () => {})
    broken.break()
    await settled()
    const results = [reading(large), reading(broken)]
    large.send('{}')
    await settled()
    assert.deepEqual(
      results.map((each) => each.results),
      [[undefined], [undefined]],
    )
    assert.equal(large.readableLength, 2)
  })
})
