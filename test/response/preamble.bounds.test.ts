import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { settled } from '../support/event-loop.js'
import { rig } from './controlling.js'
import { joined, protocols } from './preamble-bodies.js'
import { bodyOf, JSON_TYPE, reading, ScriptedResponse, SSE } from './preamble-rig.js'

const { preamble, content, error, end } = protocols[0]!
const [comment, , role] = preamble as [string, string, string]
const latin1 = (...pieces: (Buffer | string)[]) => joined(...pieces).toString('latin1')
const ANSWER = '{"id":"1","choices":[{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}'
const ERROR = '{"error":{"message":"Slow down, sk-secret-12345","code":429}}'

describe('the bounds of what is held', () => {
  test('events', async () => {
    const { send, log, ready, response } = reading({ bounds: { events: 3 } })
    await send(role, comment, role)
    assert.deepEqual(log, [])
    await send(role)
    assert.deepEqual(log, ['ready: bound'])
    response.finish()
    assert.equal((await bodyOf(ready())).text, latin1(role, comment, role, role))
  })

  test('bytes, and no more is read', async () => {
    const { send, log, ready, response } = reading({ bounds: { bytes: 1000 } })
    const long = `: ${'x'.repeat(600)}\n\n`
    await send(long)
    assert.deepEqual(log, [])
    await send(long)
    assert.deepEqual(log, ['ready: bound'])
    await send(long)
    assert.equal(response.readableLength, 3 * long.length)
    response.finish()
    assert.equal((await bodyOf(ready())).text, long.repeat(3))
  })

  test('time, if an event or a part of one has come', async () => {
    for (const held of [role, role.slice(0, 9), comment + role.slice(0, 9)]) {
      const { send, log, timers, ready, response } = reading()
      await send(held)
      timers.advance(1999)
      assert.deepEqual(log, [])
      timers.advance(1)
      assert.deepEqual(log, ['ready: bound'])
      response.finish()
      assert.equal((await bodyOf(ready())).text, held)
      assert.equal(timers.pending, 0)
    }
  })
})

describe('a silent provider', () => {
  for (const [what, sent] of [
    ['nothing', []],
    ['comments alone', [comment, comment]],
  ] as [string, string[]][]) {
    test(`is reported once if ${what} came, and the first event makes the answer ready`, async () => {
      const { send, log, timers, ready, response } = reading()
      await settled(1)
      await send(...sent)
      timers.advance(10_000)
      assert.deepEqual(log, ['silence'])
      await send(comment)
      assert.deepEqual(log, ['silence'])
      await send(role)
      assert.deepEqual(log, ['silence', 'ready: bound'])
      response.finish()
      assert.equal((await bodyOf(ready())).text, latin1(...sent, comment, role))
    })
  }

  test('may still fail', async () => {
    const { send, log, timers } = reading()
    await settled(1)
    timers.advance(2000)
    await send(error)
    assert.deepEqual(log, ['silence', 'failed: error-event 429'])
  })

  test('is not silent if its event loop was held up, and it broke off meanwhile', async () => {
    const { log, timers, response } = reading()
    await settled(1)
    timers.hold(2500)
    timers.advance(0)
    assert.deepEqual(log, [], 'what has arrived is read first')
    response.destroy()
    await settled(1)
    assert.deepEqual(log, ['failed: reset without a status'])
  })

  test('may still turn out to send something else than a stream', async () => {
    const { send, log, timers } = reading({ headers: { 'content-type': 'text/plain' } })
    await settled(1)
    timers.advance(2000)
    await send('{"id":')
    assert.deepEqual(log, ['silence', 'ready: bound'])
  })
})

describe('what is no content, and what is', () => {
  test('a stream of pings is no content', async () => {
    const { send, log } = reading({ path: '/v1/responses' })
    await send('event: keepalive\ndata: {"type":"keepalive","sequence_number":1}\n\n', 'event: ping\ndata: {}\n\n')
    assert.deepEqual(log, [])
  })

  test('a message in another protocol is content', async () => {
    for (const path of ['/v1/chat/completions', '/v1/unknown']) {
      const { send, log } = reading({ path })
      await send('data: {"completion":"Hi"}\n\n')
      assert.deepEqual(log, ['ready: content'])
    }
  })

  test('the end alone is an end', async () => {
    for (const pieces of [['data: [DONE]\n\n'], [role, 'data: [DONE]\n\n']]) {
      const { send, log } = reading()
      await send(...pieces)
      assert.deepEqual(log, ['ready: end'])
    }
  })

  test('a finish reason is content, also in an event that nothing ends', async () => {
    const { send, finish, log, ready } = reading()
    const last = (end[0] as string).trimEnd()
    await send(last)
    await finish()
    assert.deepEqual(log, ['ready: content'])
    assert.deepEqual(await bodyOf(ready()), { text: last, isBroken: false })
  })

  test('the finish reason `error` is an error', async () => {
    const { send, log } = reading()
    await send('data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\n')
    assert.deepEqual(log, ['failed: error-event without a status'])
  })

  test('an error in JSON that is labelled as events is an error', async () => {
    const { send, finish, log, failure } = reading()
    await send(ERROR)
    await finish()
    assert.deepEqual(log, ['failed: error-event 429'])
    assert.equal((await bodyOf(failure().said!)).text, ERROR)
  })

  test('an empty stream was cut', async () => {
    const { finish, log } = reading()
    await finish()
    assert.deepEqual(log, ['failed: truncated without a status'])
  })
})

describe('content that arrives together with the end of the connection', () => {
  test('is ready, and breaks off after it', async () => {
    const { response, log, ready } = reading()
    response.send(joined(role, content))
    response.break()
    await settled()
    assert.deepEqual(log, ['ready: content'])
    assert.deepEqual(await bodyOf(ready()), { text: latin1(role, content), isBroken: true })
  })

  test('is forwarded, and then fails', async (t) => {
    const { response, ready } = reading()
    response.send(joined(role, content))
    response.break()
    await settled()
    const { delivery, res, run, ended } = rig(t)
    delivery.begin(ready())
    await run()
    assert.ok(res.body.startsWith(latin1(role, content)))
    res.finish()
    assert.equal(ended().code, 'upstream_reset')
  })

  test('is an answer that breaks off if it had done so before', async () => {
    const response = new ScriptedResponse()
    response.on('error', () => {})
    response.send(content).break()
    await settled()
    const { log, ready } = reading({ response })
    await settled()
    assert.deepEqual(log, ['ready: content'])
    assert.deepEqual(await bodyOf(ready()), { text: latin1(content), isBroken: true })
  })
})

describe('a JSON answer', () => {
  const given = { asksForStream: false, headers: JSON_TYPE }

  test('is held until it is whole', async () => {
    const { send, finish, log, ready, response, isUntouched } = reading(given)
    await send(ANSWER.slice(0, 20), ANSWER.slice(20))
    assert.deepEqual(log, [])
    await finish()
    assert.deepEqual(log, ['ready: end'])
    assert.deepEqual(await bodyOf(ready()), { text: ANSWER, isBroken: false })
    assert.equal(response.readableEnded, true)
    assert.ok(isUntouched())
  })

  test('fails if it is an error, and keeps its words', async () => {
    const { send, finish, log, failure } = reading({ ...given, secrets: ['sk-secret-12345'] })
    await send(ERROR)
    await finish()
    assert.deepEqual(log, ['failed: error-event 429'])
    assert.equal(failure().message, 'Slow down, ***************')
    assert.equal((await bodyOf(failure().said!)).text, ERROR)
  })

  test('is no error if its text speaks of one', async () => {
    const { send, finish, log } = reading(given)
    await send(ANSWER.replace('Hi', 'error: fail').replace('{"id"', '{"error":null,"id"'))
    await finish()
    assert.deepEqual(log, ['ready: end'])
  })

  for (const [what, body] of [
    ['without a word of an error', ANSWER.slice(0, 30)],
    ['with one', `{"error":null,${ANSWER.slice(1, 30)}`],
  ] as const) {
    test(`fails if it is cut, ${what}`, async () => {
      const cut = reading(given)
      await cut.send(body)
      await cut.finish()
      assert.deepEqual(cut.log, ['failed: truncated without a status'])
      const broken = reading(given)
      await broken.send(body)
      await broken.break()
      assert.deepEqual(broken.log, ['failed: reset without a status'])
    })
  }

  test('is ready when the time or the bytes are over', async () => {
    const slow = reading(given)
    await slow.send('{"id":')
    slow.timers.advance(2000)
    const large = reading({ ...given, bounds: { bytes: 6 } })
    await large.send('{"id":')
    assert.deepEqual([slow.log, large.log], [['ready: bound'], ['ready: bound']])
  })

  test('is known by its first bytes if a stream was asked for', async () => {
    const { send, finish, log } = reading({ headers: JSON_TYPE })
    await send('\n', ERROR)
    await finish()
    assert.deepEqual(log, ['failed: error-event 429'])
  })
})

describe('a body in which nothing can be seen', () => {
  for (const [what, given] of [
    ['binary', { headers: { 'content-type': 'audio/mpeg' } }],
    ['an answer to HEAD', { method: 'HEAD' }],
    ['204', { status: 204 }],
    ['an error', { status: 500, headers: JSON_TYPE }],
    ['in an unknown encoding', { headers: { ...SSE, 'content-encoding': 'zstd' } }],
  ] as const) {
    test(`is ready at once, and not read: ${what}`, async () => {
      const { response, log, ready, timers } = reading(given)
      response.send('abc')
      assert.deepEqual(log, [])
      await settled()
      assert.deepEqual(log, ['ready: unreadable'])
      assert.equal(ready(), response)
      assert.equal(response.readableLength, 3)
      assert.equal(timers.pending, 0)
    })
  }

  test('is ready once its first bytes show that', async () => {
    const { send, log, response } = reading({ headers: { 'content-type': 'text/plain' } })
    await send('<3 you')
    assert.deepEqual(log, ['ready: unreadable'])
    assert.equal(response.readableLength, 6)
  })

  test('is ready if only blanks come', async () => {
    const { send, log } = reading({ headers: { 'content-type': 'text/plain' } })
    await send(' '.repeat(4095))
    assert.deepEqual(log, [])
    await send('\n')
    assert.deepEqual(log, ['ready: unreadable'])
  })

  test('is looked at if it is short', async () => {
    const headers = { 'content-type': 'text/plain', 'content-length': '21' }
    const { send, log, response } = reading({ headers })
    await send('Internal Server ')
    assert.deepEqual(log, [])
    await send('Error')
    response.push(null)
    await settled()
    assert.deepEqual(log, ['failed: error-event without a status'])
  })

  test('is looked at if it should be JSON', async () => {
    const { send, log } = reading({ headers: { 'content-type': 'text/html' }, asksForStream: false })
    await send('\n<')
    assert.deepEqual(log, [])
    await send('html>')
    assert.deepEqual(log, ['failed: page without a status'])
  })

  test('may be anything but a page', async () => {
    const { send, log, response } = reading({ headers: { 'content-type': 'text/html' }, asksForStream: false })
    await send(' <')
    await send('3')
    assert.deepEqual([log, response.readableLength], [['ready: unreadable'], 3])
  })
})

describe('a compressed body', () => {
  /** Waits for zlib, which has a thread of its own. */
  const until = async (log: string[]) => {
    while (log.length === 0) await settled(1)
  }
  const body = latin1(...preamble, content, ...end)
  for (const [coding, compress] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const) {
    const headers = { ...SSE, 'content-encoding': coding }

    test(`is decoded to be looked at, and put back as it came: ${coding}`, async () => {
      for (const size of [1, 7, 10_000]) {
        const { response, log, ready } = reading({ headers })
        const bytes = compress(body)
        for (let at = 0; at < bytes.length; at += size) response.send(bytes.subarray(at, at + size))
        response.finish()
        await until(log)
        assert.deepEqual(log, ['ready: content'])
        assert.deepEqual(await bodyOf(ready()), { text: bytes.toString('latin1'), isBroken: false })
      }
    })

    test(`fails with an error, whose words are decoded: ${coding}`, async () => {
      const { response, log, failure } = reading({ headers })
      response.send(compress(latin1(role, error, content)))
      await until(log)
      assert.deepEqual(log, ['failed: error-event 429'])
      assert.equal(failure().said!.headers['content-encoding'], undefined)
      assert.equal((await bodyOf(failure().said!)).text, latin1(role, error))
    })

    test(`fails if it is cut: ${coding}`, async () => {
      const { response, log } = reading({ headers })
      response.send(compress(latin1(role)).subarray(0, 30)).finish()
      await until(log)
      assert.deepEqual(log, ['failed: truncated without a status'])
      const broken = reading({ headers })
      broken.response.send(compress(latin1(role)).subarray(0, 30))
      await settled()
      broken.response.break()
      await until(broken.log)
      assert.deepEqual(broken.log, ['failed: reset without a status'])
    })
  }

  test('fails if it is damaged', async () => {
    for (const [type, beginning] of [
      [SSE, 0],
      [SSE, 12],
      [JSON_TYPE, 0],
      [JSON_TYPE, 12],
      [{}, 0],
    ] as const) {
      const { response, log } = reading({ headers: { ...type, 'content-encoding': 'gzip' } })
      response.send(Buffer.concat([gzipSync(latin1(role)).subarray(0, beginning), Buffer.from('this is not gzip')]))
      await until(log)
      assert.deepEqual(log, ['failed: reset without a status'])
    }
  })

  test('is ready as it is if it is binary, and cannot be decoded', async () => {
    const headers = { 'content-type': 'image/png', 'content-encoding': 'gzip' }
    const { response, log, ready } = reading({ headers, asksForStream: false })
    response.send('this is not gzip').finish()
    await until(log)
    assert.deepEqual(log, ['ready: unreadable'])
    assert.deepEqual(await bodyOf(ready()), { text: 'this is not gzip', isBroken: false })
  })

  test('decodes to no more than is held', async () => {
    const { response, log } = reading({ headers: { ...SSE, 'content-encoding': 'gzip' } })
    response.send(gzipSync(`: ${'x'.repeat(10_000_000)}`))
    await until(log)
    assert.deepEqual(log, ['ready: bound'])
  })
})

test('after it was stopped, nothing more is called', async () => {
  const { reader, send, finish, log, timers } = reading()
  await send(role)
  reader.stop()
  await send(content)
  await finish()
  timers.advance(5000)
  assert.deepEqual([log, timers.pending], [[], 0])
})

test('a format of the app that throws makes the answer ready', async () => {
  const { exchange, send, log, ready, response } = reading()
  const readMessage = () => {
    throw new Error('of the app')
  }
  exchange.route(exchange.path, { ...exchange.format, readMessage })
  await send(role)
  assert.deepEqual(log, ['ready: unreadable'])
  response.finish()
  assert.equal((await bodyOf(ready())).text, role)
})

test('a mock of a response may be any stream', async () => {
  const response = Object.assign(new PassThrough(), { statusCode: 200, headers: SSE }) as unknown as IncomingMessage
  const { log, ready } = reading({ response })
  ;(response as unknown as PassThrough).write(role)
  await settled()
  ;(response as unknown as PassThrough).end(content)
  await settled()
  assert.deepEqual(log, ['ready: content'])
  assert.deepEqual(await bodyOf(ready()), { text: latin1(role, content), isBroken: false })
})
