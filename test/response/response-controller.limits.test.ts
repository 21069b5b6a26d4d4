import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { event, rig, SSE } from './controlling.js'

describe('time limits', () => {
  test("idleTimeoutMs limits the provider's silence", async (t) => {
    const { res, answer, advance, run, ended } = rig(t, { limits: { idleTimeoutMs: 100 } })
    const response = await answer(SSE)
    await advance(99)
    response.write('data: ')
    await run()
    await advance(99)
    assert.equal(res.writableEnded, false)
    await advance(1)
    assert.match(res.body, /idle_timeout/)
    res.finish()
    assert.equal(ended().code, 'idle_timeout')
  })

  test('idleTimeoutMs is paused while the client has to read, and restarts afterwards', async (t) => {
    const limits = { idleTimeoutMs: 100, drainTimeoutMs: 10_000 }
    const { res, exchange, answer, advance, run, ended } = rig(t, { limits })
    res.keepsUp = false
    const response = await answer(SSE, event('a'))
    assert.equal(exchange.phase, 'stalled')
    response.write(event('b'))
    await advance(5000)
    assert.equal(res.body, event('a'))
    res.drain()
    await run()
    assert.equal(exchange.phase, 'streaming')
    assert.equal(res.body, event('a') + event('b'))
    await advance(99)
    assert.equal(res.writableEnded, false)
    await advance(1)
    assert.equal(ended().code, 'idle_timeout')
    res.finish()
  })

  test('maxStreamDurationMs limits the whole answer', async (t) => {
    const { res, answer, advance, run, ended } = rig(t, { limits: { maxStreamDurationMs: 100, idleTimeoutMs: 50 } })
    const response = await answer(SSE)
    for (let at = 0; at < 4; at++) {
      await advance(24)
      response.write(event('a'))
      await run()
    }
    assert.equal(res.writableEnded, false)
    await advance(4)
    assert.equal(ended().code, 'stream_too_long')
    assert.equal(ended().events, 4)
    res.finish()
  })

  test('drainTimeoutMs limits how long the client does not read, and destroys its connection', async (t) => {
    const { res, answer, advance, ended } = rig(t, { limits: { drainTimeoutMs: 100 } })
    res.keepsUp = false
    await answer(SSE, event('a'))
    await advance(99)
    assert.equal(res.destroyed, false)
    await advance(1)
    assert.equal(res.destroyed, true)
    assert.equal(res.body, event('a'))
    assert.deepEqual([ended().outcome, ended().code, ended().over], ['limit_exceeded', 'slow_client', 1])
  })

  test('drainTimeoutMs also applies to the last bytes', async (t) => {
    const { res, answer, run, advance, ended } = rig(t, { limits: { drainTimeoutMs: 100 } })
    const response = await answer(SSE, event('a'))
    response.end()
    await run()
    await advance(100)
    assert.equal(res.destroyed, true)
    assert.deepEqual([ended().code, ended().over], ['slow_client', 1])
  })

  test('heartbeats are sent while the provider is silent, only between events', async (t) => {
    const { res, answer, advance, run } = rig(t, { heartbeat: { everyMs: 10 } })
    const response = await answer(SSE, `${event('a')}data: ["ha`)
    await advance(10)
    response.write('lf"]\n\n')
    await run()
    assert.equal(res.body, `${event('a')}: heartbeat\n\n${event('half')}`)
    response.end()
    await run()
    res.finish()
  })
})

describe('size limits', () => {
  test('maxResponseBytes rejects a content-length beyond it, before the body', async (t) => {
    const { res, answer, ended } = rig(t, { limits: { maxResponseBytes: 10 } })
    await answer({ 'content-type': 'application/json', 'content-length': '11' })
    assert.equal(res.statusCode, 502)
    assert.match(res.body, /response_too_large/)
    res.finish()
    assert.equal(ended().code, 'response_too_large')
  })

  test('maxResponseBytes allows exactly that many bytes', async (t) => {
    const { res, answer, run, ended } = rig(t, { limits: { maxResponseBytes: 10 } })
    const response = await answer({ 'content-type': 'text/plain', 'content-length': '10' }, '0123456789')
    response.end()
    await run()
    res.finish()
    assert.deepEqual([res.body, ended().outcome], ['0123456789', 'completed'])
  })

  test('maxResponseBytes ends a stream', async (t) => {
    const { res, answer, ended } = rig(t, { limits: { maxResponseBytes: 16 } })
    await answer(SSE, event('a') + event('b'))
    assert.equal(res.writes[0], event('a'))
    assert.match(res.writes[1]!, /response_too_large/)
    res.finish()
    assert.equal(ended().code, 'response_too_large')
  })

  test('maxEventBytes ends a stream', async (t) => {
    const { res, answer, ended } = rig(t, { limits: { maxEventBytes: 16 } })
    await answer(SSE, event('a') + event('123456'))
    assert.equal(res.writes[0], event('a'))
    assert.match(res.writes[1]!, /event_too_large/)
    res.finish()
    assert.deepEqual([ended().code, ended().events], ['event_too_large', 1])
  })
})
