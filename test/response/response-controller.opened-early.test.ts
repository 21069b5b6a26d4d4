import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AiProxyError, limitFailure } from '../../lib/api/errors.js'
import { defaultLimits } from '../../lib/options/limits.js'
import { completed, event, type Given, rig, SSE } from './controlling.js'

describe('a response opened early', () => {
  const early: Given = { heartbeat: { everyMs: 10, beforeFirstByte: true } }
  const HEARTBEAT = ': heartbeat\n\n'

  test('begins with a heartbeat, and sends more until the provider answers', async (t) => {
    const { res, delivery, advance, answer, run, ended } = rig(t, early)
    delivery.sendEarlyHeaders()
    assert.equal(res.headersSent, true)
    assert.equal(res.body, HEARTBEAT)
    await advance(10)
    assert.equal(res.body, HEARTBEAT + HEARTBEAT)
    const response = await answer(SSE, event('a'))
    response.end()
    await run()
    assert.equal(res.body, HEARTBEAT + HEARTBEAT + event('a'))
    res.finish()
    assert.deepEqual(ended(), completed(1))
  })

  test('reports a failure in an event', async (t) => {
    const { res, delivery, ended } = rig(t, early)
    delivery.sendEarlyHeaders()
    delivery.fail(new AiProxyError('first_byte_timeout', 'x'))
    assert.match(res.writes.at(-1)!, /^data: \{"error":.*first_byte_timeout/)
    assert.equal(res.writableEnded, true)
    res.finish()
    assert.equal(ended().status, 200)
  })

  for (const [path, body, said] of [
    ['/v1/chat/completions', '{\n "error": {"message": "No"}\n}', 'data: {"error":{"message":"No"}}\n\n'],
    [
      '/v1/messages',
      '{"type":"error","error":{"type":"a"}}',
      'event: error\ndata: {"type":"error","error":{"type":"a"}}\n\n',
    ],
    ['/v1/chat/completions', '<html>', /^data: \{"error":\{.*"code":"upstream_error".*\}\}\n\n$/],
  ] as const) {
    test(`passes a provider’s own error on in an event: ${JSON.stringify(body)}`, async (t) => {
      const { res, delivery, answer, run, ended } = rig(t, { ...early, path })
      delivery.sendEarlyHeaders()
      const response = await answer({ 'content-type': 'application/json' }, '', 429)
      response.end(body)
      await run()
      const [, last] = res.writes
      if (typeof said === 'string') assert.equal(last, said)
      else assert.match(last!, said)
      assert.equal(res.statusCode, 200)
      res.finish()
      assert.deepEqual([ended().outcome, ended().code], ['provider_error', 'upstream_error'])
    })
  }

  test('passes a non-streaming answer on in an event', async (t) => {
    const { res, delivery, answer, run, ended } = rig(t, early)
    delivery.sendEarlyHeaders()
    const response = await answer({ 'content-type': 'application/json' })
    response.end('{\n"a":1}')
    await run()
    assert.equal(res.writes[1], 'data: {\ndata: "a":1}\n\n')
    res.finish()
    assert.deepEqual(ended(), completed(1))
  })

  test('continues once a client that did not read the heartbeats has read them', async (t) => {
    const { res, delivery, answer, run, exchange } = rig(t, early)
    res.keepsUp = false
    delivery.sendEarlyHeaders()
    const response = await answer(SSE, event('a'))
    assert.equal(res.body, HEARTBEAT)
    res.drain()
    await run()
    assert.equal(res.body, HEARTBEAT + event('a'))
    assert.equal(exchange.phase, 'streaming')
    response.end()
    await run()
    res.finish()
  })

  for (const [what, body, isHeld] of [
    ['firstTokenTimeoutMs applies if no byte of the answer has arrived', '', true],
    ['firstTokenTimeoutMs does not apply to a non-streaming answer that has begun', '{"id":', false],
  ] as const) {
    test(what, async (t) => {
      const { res, delivery, answer, run, ended } = rig(t, early)
      delivery.sendEarlyHeaders()
      const response = await answer({ 'content-type': 'application/json' }, body)
      delivery.failForSilence(limitFailure('first_token_timeout', defaultLimits))
      assert.equal(res.writableEnded, isHeld)
      response.end('1}')
      await run()
      res.finish()
      assert.equal(ended().code, isHeld ? 'first_token_timeout' : undefined)
    })
  }
})
