import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { AiProxyError } from '../../lib/api/errors.js'
import { FakeResponse } from '../support/fake-response.js'
import { completed, event, type ProviderResponse, rig, SSE } from './controlling.js'

describe('an answer that completes', () => {
  test('a stream: sends the head at once, then events, then the end', async (t) => {
    const { res, exchange, answer, run, ended } = rig(t)
    const response = await answer(SSE)
    assert.equal(res.headersSent, true)
    assert.equal(res.getHeader('x-accel-buffering'), 'no')
    assert.equal(exchange.phase, 'streaming')
    response.end(event('a') + event('b'))
    await run()
    assert.equal(res.body, event('a') + event('b'))
    assert.equal(res.writableEnded, true)
    assert.equal(exchange.phase, 'ending')
    assert.equal(ended().over, 0, 'not before the client has got everything')
    res.finish()
    assert.deepEqual(ended(), completed(2))
  })

  test('JSON: passes unchanged, its head with its first bytes', async (t) => {
    const { res, answer, run, ended } = rig(t)
    const response = await answer({ 'content-type': 'application/json', 'content-length': '7', connection: 'close' })
    assert.equal(res.headersSent, false)
    response.end('{"a":1}')
    await run()
    assert.equal(res.body, '{"a":1}')
    assert.equal(res.getHeader('content-length'), '7')
    assert.equal(res.getHeader('connection'), undefined)
    res.finish()
    assert.deepEqual(ended(), completed(0))
  })

  test('the provider’s own errors pass unchanged', async (t) => {
    const { res, answer, run, ended } = rig(t)
    const response = await answer({ 'content-type': 'application/json', 'retry-after': '7' }, '', 429)
    response.end('{"error":1}')
    await run()
    assert.deepEqual([res.statusCode, res.getHeader('retry-after'), res.body], [429, '7', '{"error":1}'])
    res.finish()
    assert.deepEqual(ended(), { ...completed(0, 429), outcome: 'provider_error' })
  })

  test('HEAD, 204 and 304 have no body, whatever their headers say', async (t) => {
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 304],
      ['POST', 204],
    ] as const) {
      await t.test(`${method} ${status}`, async (t) => {
        const { res, answer, run, ended } = rig(t, { method, limits: { maxResponseBytes: 5 } })
        const headers = { ...SSE, 'content-length': '999', 'content-encoding': 'gzip' }
        const response = await answer(headers, '', status)
        response.end()
        await run()
        // RFC 9110, 8.6: a 204 must not have one.
        assert.equal(res.getHeader('content-length'), status === 204 ? undefined : '999')
        assert.equal(res.getHeader('content-encoding'), 'gzip')
        assert.deepEqual(res.writes, [])
        res.finish()
        assert.deepEqual(ended(), completed(0, status))
      })
    }
  })

  test('the app’s and the provider’s `vary` are merged', async (t) => {
    const res = new FakeResponse()
    res.setHeader('vary', 'Origin')
    const { answer } = rig(t, { res })
    const response = await answer({ ...SSE, vary: 'Accept' })
    assert.equal(res.getHeader('vary'), 'Origin, Accept')
    response.end()
    res.destroy()
  })
})

describe('the head of an answer', () => {
  for (const [name, act] of [
    ['of the provider’s', ({ answer }) => answer(SSE, event('a'))],
    ['of the app’s', async ({ delivery }) => delivery.respond(200, {}, 'x')],
  ] as [string, (given: ReturnType<typeof rig>) => Promise<unknown>][]) {
    test(`stops firstByteTimeoutMs: ${name}`, async (t) => {
      const given = rig(t)
      given.exchange.deadlines.start('firstByte', 1000, () => given.log.push('late'))
      await act(given)
      await given.advance(2000)
      assert.deepEqual(given.log, [])
      given.res.destroy()
    })
  }

  for (const [type, streams] of [
    ['text/event-stream', 1],
    ['application/json', 0],
  ] as const) {
    test(`of ${type} is recorded as a stream's, whatever was requested: ${streams}`, async (t) => {
      const onStream = t.mock.fn()
      const { res, answer } = rig(t, { onStream })
      await answer({ 'content-type': type })
      assert.equal(onStream.mock.callCount(), streams)
      res.destroy()
    })
  }

  for (const status of [199, 600]) {
    test(`with status ${status} is not recorded as a stream's`, async (t) => {
      const onStream = t.mock.fn()
      const { res, answer, ended } = rig(t, { onStream })
      await answer(SSE, '', status)
      assert.equal(onStream.mock.callCount(), 0)
      res.finish()
      assert.equal(ended().code, 'upstream_reset')
    })
  }
})

describe('a compressed answer', () => {
  test('is decoded before it is split into events', async (t) => {
    const { res, answer, run, ended } = rig(t)
    const response = await answer({ ...SSE, 'content-encoding': 'gzip', 'content-length': '99' })
    response.end(gzipSync(event('a') + event('b')))
    // Decompression is the thread pool's: how many rounds of the event loop it takes is not ours to say.
    for (let round = 0; !res.writableEnded && round < 100_000; round++) await run()
    assert.equal(res.body, event('a') + event('b'))
    assert.equal(res.getHeader('content-encoding'), undefined)
    assert.equal(res.getHeader('content-length'), undefined)
    res.finish()
    assert.deepEqual(ended(), completed(2))
  })

  test('in an unknown encoding passes unchanged', async (t) => {
    const { res, answer, run } = rig(t)
    const response = await answer({ ...SSE, 'content-encoding': 'x-unknown' })
    response.write(Buffer.from([1, 2, 3]))
    await run()
    assert.equal(res.body, '\x01\x02\x03')
    response.end()
    await run()
    assert.equal(res.body, '\x01\x02\x03', 'and nothing is added to them')
    assert.equal(res.getHeader('content-encoding'), 'x-unknown')
    res.finish()
  })
})

describe('the app', () => {
  test('that ends the response itself is recorded', async (t) => {
    const { res, answer, ended, run } = rig(t)
    const response = await answer(SSE, event('a'))
    res.end()
    response.write(event('b'))
    await run()
    res.finish()
    assert.equal(res.body, event('a'))
    assert.deepEqual([ended().outcome, ended().code, ended().over], ['rejected', 'internal_error', 1])
  })

  test('whose middleware throws on every write ends the exchange, not the process', async (t) => {
    const { res, answer, run, ended, log } = rig(t)
    const response = await answer(SSE)
    const fail = () => {
      throw new Error('a middleware of the app failed')
    }
    res.write = fail
    res.end = fail
    response.write(event('a'))
    await run()
    assert.ok(log.includes('upstream ended'))
    assert.equal(res.destroyed, true)
    assert.deepEqual([ended().code, ended().over], ['internal_error', 1])
  })
})

describe('no listener or timer is left', () => {
  type Rig = ReturnType<typeof rig>
  const ends: [name: string, finish: (rig: Rig, response: ProviderResponse) => Promise<unknown> | unknown][] = [
    [
      'completed',
      async ({ res, run }, response) => {
        response.end()
        await run()
        res.finish()
      },
    ],
    ['the client left', ({ res }) => res.destroy()],
    [
      'failed',
      ({ delivery, res }) => {
        delivery.fail(new AiProxyError('shutting_down', 'x'))
        res.finish()
      },
    ],
    [
      'the client stopped reading, then left',
      async ({ res, run }, response) => {
        res.keepsUp = false
        response.write(event('b'))
        await run()
        res.destroy()
      },
    ],
  ]
  for (const [name, finish] of ends) {
    test(name, async (t) => {
      const given = rig(t, { heartbeat: { everyMs: 10 } })
      const response = await given.answer(SSE, event('a'))
      assert.equal(given.timers(), 1)
      await finish(given, response)
      assert.equal(given.timers(), 0)
      const { length } = given.res.writes
      assert.equal(given.ended().over, 1)
      await given.advance(10_000_000)
      assert.equal(given.res.writes.length, length)
      assert.equal(given.ended().over, 1)
      assert.deepEqual(given.res.eventNames(), [])
      for (const each of ['readable', 'end']) assert.equal(response.listenerCount(each), 0, each)
    })
  }
})
