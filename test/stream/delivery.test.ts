import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { AiProxyError } from '../../lib/errors.js'
import { settled } from '../support/event-loop.js'
import { FakeResponse } from '../support/fake-response.js'
import { completed, event, type Given, type ProviderResponse, rig, SSE } from './delivering.js'

describe('an answer that ends well', () => {
  test('a stream: head at once, then events, then the end', async (t) => {
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

  test('JSON: as it is, and its head with its first bytes', async (t) => {
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

  test('an error of the provider’s own passes unchanged', async (t) => {
    const { res, answer, run, ended } = rig(t)
    const response = await answer({ 'content-type': 'application/json', 'retry-after': '7' }, '', 429)
    response.end('{"error":1}')
    await run()
    assert.deepEqual([res.statusCode, res.getHeader('retry-after'), res.body], [429, '7', '{"error":1}'])
    res.finish()
    assert.deepEqual(ended(), completed(0, 429))
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
        assert.equal(res.getHeader('content-length'), '999')
        assert.equal(res.getHeader('content-encoding'), 'gzip')
        assert.deepEqual(res.writes, [])
        res.finish()
        assert.deepEqual(ended(), completed(0, status))
      })
    }
  })

  test('`vary` of the app’s and of the provider’s', async (t) => {
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
    ['of the app’s', async ({ delivery }) => delivery.answer(200, {}, 'x')],
  ] as [string, (given: ReturnType<typeof rig>) => Promise<unknown>][]) {
    test(`ends the wait for the first byte: ${name}`, async (t) => {
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
    test(`of ${type} is told as a stream's, whatever was asked for: ${streams}`, async (t) => {
      const onStream = t.mock.fn()
      const { res, answer } = rig(t, { onStream })
      await answer({ 'content-type': type })
      assert.equal(onStream.mock.callCount(), streams)
      res.destroy()
    })
  }

  for (const status of [199, 600]) {
    test(`with status ${status} is none`, async (t) => {
      const { res, answer } = rig(t)
      await assert.rejects(answer(SSE, '', status), { code: 'upstream_reset' })
      res.destroy()
    })
  }
})

describe('a compressed answer', () => {
  test('is decoded before it is cut into events', async (t) => {
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

  test('in an encoding that we do not know passes as it is: bytes of it are no lines', async (t) => {
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

describe('a failure', () => {
  const failure = () => new AiProxyError('upstream_unreachable', 'The provider cannot be reached')
  const openAiBody = {
    error: {
      message: 'The provider cannot be reached',
      type: 'server_error',
      code: 'upstream_unreachable',
      param: null,
    },
  }

  test('before the answer is answered in the client’s protocol', async (t) => {
    const { res, delivery, ended } = rig(t)
    delivery.fail(failure())
    assert.equal(res.statusCode, 502)
    assert.match(String(res.getHeader('content-type')), /^application\/json/)
    assert.equal(res.getHeader('content-length'), String(res.body.length))
    assert.deepEqual(JSON.parse(res.body), openAiBody)
    res.finish()
    const { code, status, outcome, over } = ended()
    assert.deepEqual([outcome, code, status, over], ['upstream_error', 'upstream_unreachable', 502, 1])
  })

  test('before the answer, in Anthropic’s', async (t) => {
    const { res, delivery } = rig(t, { path: '/v1/messages' })
    delivery.fail(failure())
    assert.deepEqual(JSON.parse(res.body).type, 'error')
    res.finish()
  })

  test('says when to come again', async (t) => {
    const { res, delivery } = rig(t)
    delivery.fail(new AiProxyError('shutting_down', 'x'))
    assert.equal(res.getHeader('retry-after'), '1')
    assert.equal(res.getHeader('connection'), 'close')
    res.finish()
  })

  test('takes the place of a head that has not gone out', async (t) => {
    const { res, delivery, answer } = rig(t)
    await answer({ 'content-type': 'application/json', 'content-length': '500' })
    delivery.fail(failure())
    assert.deepEqual([res.statusCode, JSON.parse(res.body)], [502, openAiBody])
    res.finish()
  })

  for (const [path, lastEvent] of [
    ['/v1/chat/completions', `data: ${JSON.stringify(openAiBody)}\n\n`],
    ['/v1/messages', /^event: error\ndata: \{"type":"error",.*"code":"upstream_unreachable".*\}\n\n$/],
  ] as const) {
    test(`in a stream is an event behind the last whole one, and the end (${path})`, async (t) => {
      const { res, delivery, answer, ended, log } = rig(t, { path })
      await answer(SSE, `${event('a')}data: half`)
      delivery.fail(failure())
      assert.equal(res.writes.length, 2)
      assert.equal(res.writes[0], event('a'))
      if (typeof lastEvent === 'string') assert.equal(res.writes[1], lastEvent)
      else assert.match(res.writes[1]!, lastEvent)
      assert.doesNotMatch(res.body, /\[DONE\]|message_stop/)
      assert.equal(res.writableEnded, true)
      assert.ok(log.includes('upstream ended'))
      res.finish()
      assert.deepEqual(ended().outcome, 'upstream_error')
    })
  }

  test('in any other body is a connection that is cut', async (t) => {
    const { res, delivery, answer, ended } = rig(t)
    await answer({ 'content-type': 'audio/mpeg' }, 'abc')
    delivery.fail(failure())
    assert.equal(res.destroyed, true)
    assert.equal(res.writableEnded, false)
    assert.deepEqual([ended().outcome, ended().over], ['upstream_error', 1])
  })

  test('of a HEAD request has a length and no body', async (t) => {
    const { res, exchange, delivery } = rig(t, { method: 'HEAD' })
    delivery.fail(failure())
    assert.equal(res.getHeader('content-length'), String(JSON.stringify(openAiBody).length))
    assert.deepEqual(res.writes, [])
    assert.equal(exchange.record().downstreamBytes, 0)
    res.finish()
  })

  for (const type of ['text/event-stream', 'application/json']) {
    test(`behind the end of the answer, whose last bytes are on their way, is not said (${type})`, async (t) => {
      const { res, delivery, answer, run } = rig(t)
      const response = await answer({ 'content-type': type }, event('a'))
      response.end()
      await run()
      delivery.fail(new AiProxyError('shutting_down', 'x'))
      assert.equal(res.body, event('a'))
      assert.equal(res.destroyed, false)
      res.finish()
    })
  }

  test('is said once', async (t) => {
    const { res, delivery, answer, ended } = rig(t)
    await answer(SSE)
    delivery.fail(failure())
    delivery.fail(new AiProxyError('shutting_down', 'x'))
    assert.equal(res.writes.length, 1)
    res.finish()
    assert.equal(ended().code, 'upstream_unreachable')
  })

  test('is left to Express where the app wants it, as long as there is no answer', async (t) => {
    const { res, delivery, left, run, ended } = rig(t, { errors: 'next' })
    const given = failure()
    delivery.fail(given)
    await run()
    assert.deepEqual(left, [given])
    assert.deepEqual(res.writes, [])
    res.end('said by the app')
    res.finish()
    assert.deepEqual([ended().outcome, ended().over], ['upstream_error', 1])
  })

  test('is not left to Express in a running stream', async (t) => {
    const { res, delivery, left, answer } = rig(t, { errors: 'next' })
    await answer(SSE)
    delivery.fail(failure())
    assert.deepEqual(left, [])
    assert.equal(res.writableEnded, true)
    res.finish()
  })
})

describe('a provider that breaks off', () => {
  test('in a stream: whole events, then the error event', async (t) => {
    const { res, answer, run, ended } = rig(t)
    const response = await answer(SSE)
    response.write(`${event('a')}data: half`)
    await settled()
    response.destroy(new Error('socket hang up'))
    await run()
    assert.equal(res.writes[0], event('a'))
    assert.match(res.writes[1]!, /^data: \{"error":.*"upstream_reset"/)
    assert.doesNotMatch(res.body, /half/)
    res.finish()
    assert.equal(ended().code, 'upstream_reset')
  })

  test('after it has said that it was done: the answer is whole', async (t) => {
    const { res, answer, run, ended } = rig(t)
    const response = await answer(SSE, event('a') + event('[DONE]'))
    response.destroy(new Error('socket hang up'))
    await run()
    assert.equal(res.body, event('a') + event('[DONE]'))
    assert.equal(res.writableEnded, true)
    res.finish()
    assert.deepEqual(ended(), completed(2))
  })
})

describe('a provider that has said that it is done and leaves the connection open', () => {
  for (const [path, end] of [
    ['/v1/chat/completions', event('[DONE]')],
    ['/v1/messages', 'event: message_stop\ndata: {"type":"message_stop"}\n\n'],
  ] as const) {
    test(`gets a second (${path})`, async (t) => {
      const { res, answer, advance, ended, log } = rig(t, { path })
      await answer(SSE, event('a') + end)
      await advance(999)
      assert.equal(res.writableEnded, false)
      await advance(1)
      assert.equal(res.body, event('a') + end)
      assert.equal(res.writableEnded, true)
      assert.ok(log.includes('upstream ended'))
      res.finish()
      assert.deepEqual(ended(), completed(2))
    })
  }
})

describe('time limits', () => {
  test('idleTimeoutMs: silence of the provider', async (t) => {
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

  test('idleTimeoutMs does not run while the client has to read, and anew from then on', async (t) => {
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

  test('maxStreamDurationMs: the whole answer', async (t) => {
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

  test('drainTimeoutMs: the client has not read, and its connection is cut', async (t) => {
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

  test('drainTimeoutMs holds for the last bytes, too', async (t) => {
    const { res, answer, run, advance, ended } = rig(t, { limits: { drainTimeoutMs: 100 } })
    const response = await answer(SSE, event('a'))
    response.end()
    await run()
    await advance(100)
    assert.equal(res.destroyed, true)
    assert.deepEqual([ended().code, ended().over], ['slow_client', 1])
  })

  test('heartbeats go out meanwhile, between events only', async (t) => {
    const { res, answer, advance, run } = rig(t, { heartbeatMs: 10 })
    const response = await answer(SSE, `${event('a')}data: ha`)
    await advance(10)
    response.write('lf\n\n')
    await run()
    assert.equal(res.body, `${event('a')}: heartbeat\n\n${event('half')}`)
    response.end()
    await run()
    res.finish()
  })
})

describe('size limits', () => {
  test('maxResponseBytes: by content-length, before the body', async (t) => {
    const { res, answer, ended } = rig(t, { limits: { maxResponseBytes: 10 } })
    await answer({ 'content-type': 'application/json', 'content-length': '11' })
    assert.equal(res.statusCode, 502)
    assert.match(res.body, /response_too_large/)
    res.finish()
    assert.equal(ended().code, 'response_too_large')
  })

  test('maxResponseBytes: in a stream', async (t) => {
    const { res, answer, ended } = rig(t, { limits: { maxResponseBytes: 12 } })
    await answer(SSE, event('a') + event('b'))
    assert.equal(res.writes[0], event('a'))
    assert.match(res.writes[1]!, /response_too_large/)
    res.finish()
    assert.equal(ended().code, 'response_too_large')
  })

  test('maxEventBytes', async (t) => {
    const { res, answer, ended } = rig(t, { limits: { maxEventBytes: 12 } })
    await answer(SSE, event('a') + event('123456'))
    assert.equal(res.writes[0], event('a'))
    assert.match(res.writes[1]!, /event_too_large/)
    res.finish()
    assert.deepEqual([ended().code, ended().events], ['event_too_large', 1])
  })
})

describe('a response that was opened early', () => {
  const early: Given = { heartbeatBeforeFirstByte: true, heartbeatMs: 10 }
  const HEARTBEAT = ': heartbeat\n\n'

  test('begins with a heartbeat, and beats until the provider answers', async (t) => {
    const { res, delivery, advance, answer, run, ended } = rig(t, early)
    delivery.openEarly()
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

  test('says a failure in an event', async (t) => {
    const { res, delivery, ended } = rig(t, early)
    delivery.openEarly()
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
    test(`says an error of the provider’s own in an event: ${JSON.stringify(body)}`, async (t) => {
      const { res, delivery, answer, run, ended } = rig(t, { ...early, path })
      delivery.openEarly()
      const response = await answer({ 'content-type': 'application/json' }, '', 429)
      response.end(body)
      await run()
      const [, last] = res.writes
      if (typeof said === 'string') assert.equal(last, said)
      else assert.match(last!, said)
      assert.equal(res.statusCode, 200)
      res.finish()
      assert.deepEqual([ended().outcome, ended().code], ['upstream_error', 'upstream_error'])
    })
  }

  test('puts an answer that is no stream into an event', async (t) => {
    const { res, delivery, answer, run, ended } = rig(t, early)
    delivery.openEarly()
    const response = await answer({ 'content-type': 'application/json' })
    response.end('{\n"a":1}')
    await run()
    assert.equal(res.writes[1], 'data: {\ndata: "a":1}\n\n')
    res.finish()
    assert.deepEqual(ended(), completed(1))
  })

  test('to a client that did not read the heartbeats goes on once it has', async (t) => {
    const { res, delivery, answer, run, exchange } = rig(t, early)
    res.keepsUp = false
    delivery.openEarly()
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
})

describe('a client that leaves', () => {
  test('ends the provider at once', async (t) => {
    const { res, answer, ended, log, run } = rig(t)
    const response = await answer(SSE, event('a'))
    res.destroy()
    assert.deepEqual(log, ['upstream ended', 'over'])
    response.write(event('b'))
    await run()
    assert.equal(res.body, event('a'))
    assert.deepEqual(ended(), { outcome: 'client_disconnect', code: undefined, status: 200, events: 1, over: 1 })
  })

  test('is over once, whatever fails later', async (t) => {
    const { res, delivery, answer, ended } = rig(t)
    await answer(SSE, event('a'))
    res.destroy()
    delivery.fail(new AiProxyError('shutting_down', 'x'))
    delivery.fail(new AiProxyError('upstream_reset', 'x'))
    assert.deepEqual([ended().outcome, ended().over], ['client_disconnect', 1])
  })

  describe('while others have the turns of this round', () => {
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

    test('goes out in the next one, and gets nothing more', async (t) => {
      const { res, run, ended, log } = await leaving(t, (response) => response.write(event('b')))
      await run()
      assert.equal(res.body, event('a'))
      assert.deepEqual(log, ['upstream ended', 'over'])
      assert.deepEqual(ended(), left)
    })

    test('has left first, whatever fails meanwhile', async (t) => {
      const { delivery, run, ended } = await leaving(t, () => {})
      delivery.fail(new AiProxyError('upstream_reset', 'x'))
      assert.deepEqual(ended(), left)
      await run()
      assert.deepEqual(ended(), left)
    })

    test('has not got an answer that ends meanwhile', async (t) => {
      const { res, answer, useUpRound, advance, ended } = rig(t)
      res.keepsUp = false
      await answer(SSE, event('[DONE]'))
      useUpRound()
      res.destroy()
      await advance(1000)
      assert.deepEqual(ended(), left)
    })

    test('has not got the end that is drained meanwhile', async (t) => {
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

  test('while the last bytes are on their way', async (t) => {
    const { res, answer, run, ended } = rig(t)
    const response = await answer(SSE, event('a'))
    response.end()
    await run()
    res.destroy()
    assert.deepEqual([ended().outcome, ended().over], ['client_disconnect', 1])
  })

  test('is not waited for: with onClientDisconnect: drain the provider is read to its end', async (t) => {
    const { res, exchange, answer, run, ended, log } = rig(t, { onClientDisconnect: 'drain' })
    const response = await answer(SSE, event('a'))
    res.destroy()
    assert.deepEqual(log, [])
    assert.equal(exchange.phase, 'draining')
    response.end(event('b') + event('c'))
    await run()
    assert.deepEqual(ended(), { outcome: 'client_disconnect', code: undefined, status: 200, events: 3, over: 1 })
    assert.equal(exchange.record().downstreamBytes, event('a').length)
    assert.equal(exchange.record().upstreamBytes, 3 * event('a').length)
  })

  test('drain goes on also where the client had stopped reading', async (t) => {
    const { res, answer, run, ended } = rig(t, { onClientDisconnect: 'drain' })
    res.keepsUp = false
    const response = await answer(SSE, event('a'))
    response.end(event('b'))
    await run()
    res.destroy()
    await run()
    assert.deepEqual([ended().events, ended().over], [2, 1])
  })

  test('drain stays within the limits', async (t) => {
    const { res, answer, advance, ended } = rig(t, { onClientDisconnect: 'drain', limits: { idleTimeoutMs: 50 } })
    await answer(SSE, event('a'))
    res.destroy()
    await advance(50)
    assert.deepEqual([ended().outcome, ended().code, ended().over], ['client_disconnect', 'idle_timeout', 1])
  })
})

describe('the app', () => {
  test('that ends the response itself is told so in the record', async (t) => {
    const { res, answer, ended, run } = rig(t)
    const response = await answer(SSE, event('a'))
    res.end()
    response.write(event('b'))
    await run()
    res.finish()
    assert.equal(res.body, event('a'))
    assert.deepEqual([ended().outcome, ended().code, ended().over], ['rejected', 'internal_error', 1])
  })

  test('whose middleware throws at every write ends the exchange, not the process', async (t) => {
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

describe('nothing is left behind, neither listener nor timer', () => {
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
      const given = rig(t, { heartbeatMs: 10 })
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
