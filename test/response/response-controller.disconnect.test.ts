import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import zlib from 'node:zlib'
import { AiProxyError } from '../../lib/api/errors.js'
import { recordOf } from '../../lib/exchange/record-of.js'
import { settled } from '../support/event-loop.js'
import { event, type ProviderResponse, rig, SSE } from './controlling.js'

describe('a client that disconnects', () => {
  test('ends the request to the provider at once', async (t) => {
    const { res, answer, ended, log, run } = rig(t)
    const response = await answer(SSE, event('a'))
    res.destroy()
    assert.deepEqual(log, ['upstream ended', 'over'])
    response.write(event('b'))
    await run()
    assert.equal(res.body, event('a'))
    assert.deepEqual(ended(), { outcome: 'client_disconnect', code: undefined, status: 200, events: 1, over: 1 })
  })

  test('leaves no decoder behind, even if its output was not read', async (t) => {
    const createGunzip = t.mock.method(zlib, 'createGunzip')
    const { res, answer } = rig(t)
    const events = Array.from({ length: 20_000 }, (_, at) => event(String(at))).join('')
    res.keepsUp = false
    const response = await answer({ ...SSE, 'content-encoding': 'gzip' }, zlib.gzipSync(events))
    res.destroy()
    response.destroy()
    await settled()
    assert.equal(createGunzip.mock.calls[0]!.result!.destroyed, true)
  })

  test('before it has read the last bytes does not delay the end, even with onClientDisconnect: drain', async (t) => {
    const { res, answer, run, ended } = rig(t, { onClientDisconnect: 'drain' })
    const response = await answer(SSE, event('a'))
    response.end()
    await run()
    assert.equal(res.writableEnded, true)
    res.destroy()
    await run()
    assert.deepEqual([ended().outcome, ended().over], ['client_disconnect', 1])
  })

  test('ends its exchange once, whatever fails later', async (t) => {
    const { res, delivery, answer, ended } = rig(t)
    await answer(SSE, event('a'))
    res.destroy()
    delivery.fail(new AiProxyError('shutting_down', 'x'))
    delivery.fail(new AiProxyError('upstream_reset', 'x'))
    assert.deepEqual([ended().outcome, ended().over], ['client_disconnect', 1])
  })

  describe('while other streams have used up this round', () => {
    const left = { outcome: 'client_disconnect', code: undefined, status: 200, events: 1, over: 1 }
    const leaving = async (t: TestContext, meanwhile: (response: ProviderResponse) => void) => {
      const exchange = rig(t)
      const response = await exchange.answer(SSE, event('a'))
      exchange.useUpRound()
      meanwhile(response)
      await settled()
      exchange.res.destroy()
      assert.deepEqual(exchange.log, [])
      return exchange
    }

    test('is noticed before the next turn, and gets nothing more', async (t) => {
      const { res, run, ended, log } = await leaving(t, (response) => response.write(event('b')))
      await run()
      assert.equal(res.body, event('a'))
      assert.deepEqual(log, ['upstream ended', 'over'])
      assert.deepEqual(ended(), left)
    })

    test('is the outcome, whatever fails meanwhile', async (t) => {
      const { delivery, run, ended } = await leaving(t, () => {})
      delivery.fail(new AiProxyError('upstream_reset', 'x'))
      assert.deepEqual(ended(), left)
      await run()
      assert.deepEqual(ended(), left)
    })

    test('did not get an answer that ends meanwhile', async (t) => {
      const { res, answer, useUpRound, advance, ended } = rig(t)
      res.keepsUp = false
      await answer(SSE, event('[DONE]'))
      useUpRound()
      res.destroy()
      await advance(1000)
      assert.deepEqual(ended(), left)
    })

    test('did not get an end that is drained meanwhile', async (t) => {
      const { res, answer, useUpRound, run, ended } = rig(t, { onClientDisconnect: 'drain' })
      const response = await answer(SSE, event('a'))
      useUpRound()
      response.end(event('[DONE]'))
      await settled()
      res.destroy()
      await run()
      assert.equal(res.body, event('a'))
      assert.deepEqual(ended(), { ...left, events: 2 })
    })
  })

  test('before the provider has answered', async (t) => {
    const { res, ended, log } = rig(t)
    res.destroy()
    assert.deepEqual(log, ['upstream ended', 'over'])
    assert.deepEqual([ended().outcome, ended().status], ['client_disconnect', undefined])
  })

  test('while the last bytes are being sent', async (t) => {
    const { res, answer, run, ended } = rig(t)
    const response = await answer(SSE, event('a'))
    response.end()
    await run()
    res.destroy()
    assert.deepEqual([ended().outcome, ended().over], ['client_disconnect', 1])
  })

  test('leaves the provider to be read to its end with onClientDisconnect: drain', async (t) => {
    const { res, exchange, answer, run, ended, log } = rig(t, { onClientDisconnect: 'drain' })
    const response = await answer(SSE, event('a'))
    res.destroy()
    assert.deepEqual(log, [])
    assert.equal(exchange.phase, 'draining')
    response.end(event('b') + event('c'))
    await run()
    assert.deepEqual(ended(), { outcome: 'client_disconnect', code: undefined, status: 200, events: 3, over: 1 })
    assert.equal(recordOf(exchange).downstreamBytes, event('a').length)
    assert.equal(recordOf(exchange).upstreamBytes, 3 * event('a').length)
  })

  test('is drained even if it had stopped reading', async (t) => {
    const { res, answer, run, ended } = rig(t, { onClientDisconnect: 'drain' })
    res.keepsUp = false
    const response = await answer(SSE, event('a'))
    response.end(event('b'))
    await run()
    res.destroy()
    await run()
    assert.deepEqual([ended().events, ended().over], [2, 1])
  })

  test('is drained within the limits', async (t) => {
    const { res, answer, advance, ended } = rig(t, { onClientDisconnect: 'drain', limits: { idleTimeoutMs: 50 } })
    await answer(SSE, event('a'))
    res.destroy()
    await advance(50)
    assert.deepEqual([ended().outcome, ended().code, ended().over], ['client_disconnect', 'idle_timeout', 1])
  })
})
