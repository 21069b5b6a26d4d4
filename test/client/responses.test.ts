import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { type ResumableOptions, resumable, stop } from '../../lib/client.js'
import { awsMessage } from '../framing/bodies.js'
import { FakeServer, ID } from './fake-server.js'
import { failing, threeEventServer, URL_ASKED } from './reading.js'

describe('a response', () => {
  test('without x-stream-id is the same object', async () => {
    const others = [
      new Response('plain'),
      new Response('bad id', { headers: { 'x-stream-id': '../../secrets' } }),
      new Response('failed', { status: 500, headers: { 'x-stream-id': ID } }),
      new Response(null, { status: 204, headers: { 'x-stream-id': ID } }),
    ]
    for (const response of others) assert.equal(await resumable(async () => response)(), response)
  })

  test('comes for `null` as a second argument, as from fetch', async () => {
    const { server, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1) + 5, how: 'error' })
    const response = await resumable(server.fetch, { backoff: { baseMs: 0 } })(URL_ASKED, null as never)
    assert.equal(await response.text(), server.whole.toString())
  })

  test('is the original one in all but its body', async () => {
    const { server, post } = threeEventServer()
    server.headers['x-request-id'] = 'r1'
    const response = await post()
    assert.ok(response instanceof Response)
    assert.equal(response.url, URL_ASKED)
    assert.equal(response.redirected, false)
    assert.equal(response.status, 200)
    assert.equal(response.ok, true)
    assert.equal(response.headers.get('x-request-id'), 'r1')
    assert.equal(response.headers.get('x-stream-id'), ID)
    assert.ok(response.body instanceof ReadableStream)
    assert.equal(response.bodyUsed, false)
    const reader = response.body.getReader()
    assert.throws(() => response.body!.getReader(), TypeError)
    await reader.read()
    assert.equal(response.bodyUsed, true)
    await assert.rejects(response.text(), TypeError)
  })

  test('can be cloned, and the clones too', async () => {
    const { server, post, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1) + 5, how: 'error' })
    const response = await post()
    const clone = response.clone().clone()
    assert.equal(clone.url, URL_ASKED)
    const texts = await Promise.all([response.text(), clone.text()])
    assert.deepEqual(texts, [server.whole.toString(), server.whole.toString()])
    assert.throws(() => response.clone(), TypeError)
  })

  test('has json() and arrayBuffer()', async () => {
    const line = new FakeServer({ events: [Buffer.from('{"a":1}\n')], contentType: 'application/x-ndjson' })
    line.cuts.push({ after: 3, how: 'error' })
    assert.deepEqual(await (await resumable(line.fetch, { backoff: { maxMs: 0 } })(URL_ASKED)).json(), { a: 1 })
    line.cuts.push({ after: 3, how: 'error' })
    const bytes = await (await resumable(line.fetch, { backoff: { maxMs: 0 } })(URL_ASKED)).arrayBuffer()
    assert.equal(bytes.byteLength, 8)
  })

  test('with a body that cannot be resumed passes as it is, fails as it is, and can be stopped', async () => {
    const events = [Buffer.from('[{"a":1},'), Buffer.from('{"a":2}]')]
    const server = new FakeServer({ events, contentType: 'application/json' })
    assert.equal(await (await resumable(server.fetch)(URL_ASKED)).text(), '[{"a":1},{"a":2}]')
    server.cuts.push({ after: 12, how: 'error' })
    await assert.rejects((await resumable(server.fetch)(URL_ASKED)).text(), { message: 'terminated' })
    assert.equal(server.requests.length, 2)
    await (await resumable(server.fetch)(URL_ASKED)).body!.cancel()
    await server.stopped
  })
})

describe('back-pressure', () => {
  test('nothing is read before somebody asks, and then no more than it takes', async () => {
    const { server, post, bytesOf } = threeEventServer()
    server.chunks = [10]
    const response = await post()
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(server.sentBytes, 0)
    const reader = response.body!.getReader()
    await reader.read()
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(server.sentBytes, Math.ceil(bytesOf(1) / 10) * 10)
  })

  test('an event may be as large as maxEventBytes, and no larger', async () => {
    const event = Buffer.from(`data: ${'x'.repeat(100)}\n\n`)
    const size = event.length + 'id: k1.1\n'.length
    for (const chunks of [[1], [1000]]) {
      const server = new FakeServer({ events: [event] })
      server.chunks = chunks
      const read = async (maxEventBytes: number) => resumable(server.fetch, { maxEventBytes })(URL_ASKED)
      assert.equal((await (await read(size)).text()).length, size)
      const { error, text } = await failing(await read(size - 1))
      assert.equal(error.code, 'event_too_large')
      assert.match(error.message, /maxEventBytes/)
      assert.equal(text, '')
      assert.equal(server.cancelled.length, 1)
    }
  })

  test('an event may have any size if maxEventBytes is false', async () => {
    const event = Buffer.from(`data: ${'x'.repeat(17 * 1024 * 1024)}\n\n`)
    const server = new FakeServer({ events: [event] })
    server.chunks = [1_000_000]
    const response = await resumable(server.fetch, { maxEventBytes: false })(URL_ASKED)
    assert.equal((await response.arrayBuffer()).byteLength, event.length + 'id: k1.1\n'.length)
  })

  test('a message with an impossible length fails the body', async () => {
    const bad = Buffer.from(awsMessage({}, 'x'))
    bad.writeUInt32BE(15, 0)
    const server = new FakeServer({ events: [bad], contentType: 'application/vnd.amazon.eventstream' })
    const { error } = await failing(await resumable(server.fetch)(URL_ASKED))
    assert.equal(error.code, 'corrupt')
  })
})

describe('options', () => {
  const wrong: readonly [options: unknown, message: RegExp][] = [
    [{ retry: 3 }, /there is no option retry; resumable takes retries, /],
    [{ backoff: { base: 3 } }, /there is no option backoff\.base; backoff takes baseMs, maxMs/],
    [{ retries: -1 }, /retries takes a number of at least 0 or false; got -1/],
    [{ retries: Number.NaN }, /retries takes/],
    [{ retries: true }, /retries takes .* or false; got true/],
    [{ backoff: { baseMs: '1' } }, /backoff\.baseMs takes a number of at least 0; got "1"/],
    [{ backoff: null }, /backoff takes an object; got null/],
    [{ backoff: Promise.resolve() }, /backoff takes an object; got \[object Promise\]/],
    [{ onAbort: 'halt' }, /onAbort takes 'stop' or 'leave'; got "halt"/],
    [{ streamsUrl: '' }, /streamsUrl takes a URL or a function that returns one; got ""/],
    [{ maxEventBytes: 0 }, /maxEventBytes takes a number of at least 1 or false; got 0/],
    [{ onResumed: true }, /onResumed takes a function; got true/],
    [[], /its second argument takes an object/],
    [null, /its second argument takes an object; got null/],
  ]
  for (const [options, message] of wrong) {
    test(`${inspect(options)} throws`, () => {
      assert.throws(() => resumable(fetch, options as ResumableOptions), { name: 'TypeError', message })
    })
  }

  test('the fetch must be a function', () => {
    assert.throws(() => resumable(undefined as unknown as typeof fetch), /takes a fetch first; got undefined/)
  })

  test('a fetch is called without `this`, which those of browsers insist on', async () => {
    const { server, bytesOf } = threeEventServer()
    server.cuts.push({ after: bytesOf(1), how: 'error' })
    const own: typeof fetch = function (this: unknown, ...args) {
      assert.equal(this, undefined)
      return server.fetch(...args)
    }
    const response = await resumable(own, { backoff: { maxMs: 0 } })(URL_ASKED, { method: 'POST' })
    assert.equal(await stop(response), true)
    assert.equal(await response.text(), server.whole.toString())
    assert.deepEqual(
      server.requests.map(({ method }) => method),
      ['POST', 'DELETE', 'GET'],
    )
  })

  test('further members of a fetch are kept', () => {
    const own = Object.assign(async () => new Response(), { preconnect: () => 'connected' })
    assert.equal(resumable(own).preconnect(), 'connected')
  })
})
