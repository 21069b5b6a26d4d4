import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AiProxyError } from '../../lib/api/errors.js'
import { recordOf } from '../../lib/exchange/record-of.js'
import { compileSecrets } from '../../lib/util/secrets.js'
import { settled } from '../support/event-loop.js'
import { sendRequest } from '../support/sent-request.js'
import { completed, event, rig, SSE } from './controlling.js'

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

  test('before the answer is reported in the client’s protocol', async (t) => {
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

  test('before the answer is reported in Anthropic’s', async (t) => {
    const { res, delivery } = rig(t, { path: '/v1/messages' })
    delivery.fail(failure())
    assert.deepEqual(JSON.parse(res.body).type, 'error')
    res.finish()
  })

  test('has retry-after', async (t) => {
    const { res, delivery } = rig(t)
    delivery.fail(new AiProxyError('shutting_down', 'x'))
    assert.equal(res.getHeader('retry-after'), '1')
    assert.equal(res.getHeader('connection'), 'close')
    res.finish()
  })

  test('replaces a head that was not sent', async (t) => {
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
    test(`in a stream is an event after the last whole one, and ends it (${path})`, async (t) => {
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

  test('in any other body destroys the connection', async (t) => {
    const { res, delivery, answer, ended } = rig(t)
    await answer({ 'content-type': 'audio/mpeg' }, 'abc')
    delivery.fail(failure())
    assert.equal(res.destroyed, true)
    assert.equal(res.writableEnded, false)
    assert.deepEqual([ended().outcome, ended().over], ['upstream_error', 1])
  })

  test('of a HEAD request has a content-length but no body', async (t) => {
    const { res, exchange, delivery } = rig(t, { method: 'HEAD' })
    delivery.fail(failure())
    assert.equal(res.getHeader('content-length'), String(JSON.stringify(openAiBody).length))
    assert.deepEqual(res.writes, [])
    assert.equal(recordOf(exchange).downstreamBytes, 0)
    res.finish()
  })

  for (const type of ['text/event-stream', 'application/json']) {
    test(`after the end of the answer, while its last bytes are being sent, is not reported to the client (${type})`, async (t) => {
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

  test('is reported once', async (t) => {
    const { res, delivery, answer, ended } = rig(t)
    await answer(SSE)
    delivery.fail(failure())
    delivery.fail(new AiProxyError('shutting_down', 'x'))
    assert.equal(res.writes.length, 1)
    res.finish()
    assert.equal(ended().code, 'upstream_unreachable')
  })

  test('is passed to Express with errors: next, if nothing was sent', async (t) => {
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

  test('is passed to Express once: a further failure before Express answers destroys the connection', async (t) => {
    const { res, delivery, left, run } = rig(t, { errors: 'next' })
    const given = failure()
    delivery.fail(given)
    await run()
    delivery.fail(new AiProxyError('shutting_down', 'x'))
    await run()
    assert.deepEqual(left, [given])
    assert.equal(res.destroyed, true)
  })

  test('is not passed to Express in a running stream', async (t) => {
    const { res, delivery, left, answer } = rig(t, { errors: 'next' })
    await answer(SSE)
    delivery.fail(failure())
    assert.deepEqual(left, [])
    assert.equal(res.writableEnded, true)
    res.finish()
  })
})

describe('a provider’s error that passes in an event stream', () => {
  for (const end of ['', '\n\n']) {
    test(`is masked if it quotes the key, ${end ? 'with' : 'without'} a blank line after it`, async (t) => {
      const { exchange, res, answer, run, ended } = rig(t)
      sendRequest(exchange, { secrets: compileSecrets(['Bearer t0ken-12345']) })
      const response = await answer(SSE, `{"error":{"message":"bad key t0ken-12345"}}${end}`)
      response.end()
      await run()
      res.finish()
      assert.match(res.body, /bad key \*{11}/)
      assert.doesNotMatch(res.body, /t0ken/)
      assert.equal(ended().code, 'upstream_error')
      assert.match(recordOf(exchange).error ?? '', /bad key \*{11}$/)
    })
  }
})

describe('a provider that breaks off', () => {
  test('in a stream: whole events go out, then the error event', async (t) => {
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

  test('after the terminator: the answer is complete', async (t) => {
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

describe('a provider that sends the terminator and leaves the connection open', () => {
  for (const [path, end] of [
    ['/v1/chat/completions', event('[DONE]')],
    ['/v1/messages', 'event: message_stop\ndata: {"type":"message_stop"}\n\n'],
  ] as const) {
    test(`gets one second (${path})`, async (t) => {
      const { res, exchange, answer, advance, ended, log } = rig(t, { path })
      await answer(SSE, event('a') + end)
      await advance(999)
      assert.equal(res.writableEnded, false)
      await advance(1)
      assert.equal(res.body, event('a') + end)
      assert.equal(res.writableEnded, true)
      assert.ok(log.includes('upstream ended'))
      assert.equal(exchange.answer.endedAt, 0, 'the second does not count')
      res.finish()
      assert.deepEqual(ended(), completed(2))
    })
  }

  test('gets more time while the client has not read everything', async (t) => {
    const { res, answer, advance, run, ended } = rig(t)
    res.keepsUp = false
    const response = await answer(SSE, event('[DONE]'))
    response.write(event('behind the end'))
    await advance(5000)
    assert.equal(res.writableEnded, false)
    res.drain()
    await run()
    await advance(1000)
    assert.equal(res.body, event('[DONE]') + event('behind the end'))
    assert.equal(res.writableEnded, true)
    res.finish()
    assert.equal(ended().outcome, 'completed')
  })
})

describe('a body that ends in the middle of an event', () => {
  for (const [how, headers, code] of [
    ['is reset if the connection marks its end', {}, 'upstream_reset'],
    ['is truncated if it is complete in HTTP', { 'transfer-encoding': 'chunked' }, 'upstream_truncated'],
  ] as const) {
    test(how, async (t) => {
      const { res, answer, run, ended } = rig(t)
      const piece = event('{"choices":[{"index":0,"delta":{"content":"a"}}]}')
      const response = await answer({ ...SSE, ...headers }, `${piece}data: {"choi`)
      response.end()
      await run()
      res.finish()
      assert.equal(ended().code, code)
      assert.ok(res.body.startsWith(`${piece}data: {"error"`))
    })
  }
})
