import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { describe, type TestContext, test } from 'node:test'
import { Attempt, attemptOf } from '../../lib/upstream/attempt.js'
import { Connection } from '../../lib/upstream/connection.js'
import type { Route } from '../../lib/upstream/route.js'
import { settled } from '../support/event-loop.js'

/** What of a `ClientRequest` an attempt uses. */
class FakeUpstream extends EventEmitter {
  destroyed = false
  writableFinished = true
  reusedSocket = false
  shouldKeepAlive = true
  method = 'POST'
  reason: Error | undefined
  socket: EventEmitter & { connecting: boolean; bytesRead: number } = Object.assign(new EventEmitter(), {
    connecting: true,
    bytesRead: 0,
  })

  get asClientRequest(): ClientRequest {
    return this as unknown as ClientRequest
  }

  destroy(reason?: Error): this {
    this.destroyed = true
    this.reason = reason
    return this
  }
}

const responseOf = () => new PassThrough() as unknown as IncomingMessage & PassThrough

const direct: Route = { origin: 'http://provider.example', mayUseProxy: false }

function rig(t: TestContext, body?: IncomingMessage, route = direct, needsNew = false) {
  let time = 0
  t.mock.method(performance, 'now', () => time)
  const log: string[] = []
  const attempt = new Attempt(
    {
      method: 'POST',
      url: '/v1/x',
      headers: {},
      body,
      client: { remoteAddress: undefined, encrypted: false },
    },
    {
      onConnect: () => log.push('connect'),
      onResponse: () => log.push('response'),
      onError: (error) => log.push(`error: ${error.message}`),
      onRequestChunk: () => log.push('chunk'),
    },
    route,
    needsNew,
  )
  let seen: { req: IncomingMessage; res: ServerResponse; next: (error?: unknown) => void } | undefined
  attempt.start((req, res, next) => {
    seen = { req, res, next }
  })
  const closes: boolean[] = []
  seen!.res.on('close', () => closes.push(seen!.res.writableFinished))
  const advance = (ms: number) => {
    time += ms
  }
  return { attempt, log, closes, ...seen!, advance }
}

describe('an answer', () => {
  for (const [method, statusCode, isKept] of [
    ['HEAD', 200, false],
    ['GET', 204, false],
    ['POST', 304, false],
    ['GET', 200, true],
    ['POST', 404, true],
  ] as const) {
    test(`${statusCode} to ${method}: its connection is ${isKept ? '' : 'not '}reused`, (t) => {
      const { attempt } = rig(t)
      const upstream = new FakeUpstream()
      upstream.method = method
      attempt.handleRequest(upstream.asClientRequest)
      attempt.handleResponse(Object.assign(responseOf(), { statusCode }))
      assert.equal(upstream.shouldKeepAlive, isKept)
    })
  }

  test('is not awaited after too many interim answers', (t) => {
    const { attempt } = rig(t)
    const upstream = new FakeUpstream()
    attempt.handleRequest(upstream.asClientRequest)
    for (let count = 0; count < 100; count++) upstream.emit('information', { statusCode: 103 })
    assert.equal(upstream.destroyed, false)
    upstream.emit('information', { statusCode: 103 })
    assert.match(String(upstream.reason), /interim/)
  })
})

test('attemptOf() finds an attempt by its stub request', (t) => {
  const { attempt, req } = rig(t)
  assert.equal(attemptOf(req), attempt)
  assert.equal(attemptOf({}), undefined)
})

describe('the connection', () => {
  test('is established when the socket connects', (t) => {
    const { attempt, log } = rig(t)
    const upstream = new FakeUpstream()
    attempt.handleRequest(upstream.asClientRequest)
    assert.equal(attempt.connected, false)
    upstream.socket.emit('connect')
    assert.equal(attempt.connected, true)
    assert.deepEqual(log, ['connect'])
  })

  test('is not reported if it is established after the attempt has ended', (t) => {
    const { attempt, log } = rig(t)
    const upstream = new FakeUpstream()
    attempt.handleRequest(upstream.asClientRequest)
    attempt.end()
    upstream.socket.emit('connect')
    assert.deepEqual(log, [])
  })

  test('over TLS is established when it is secure', (t) => {
    const { attempt, log } = rig(t)
    const upstream = new FakeUpstream()
    Object.assign(upstream.socket, { encrypted: true })
    attempt.handleRequest(upstream.asClientRequest)
    upstream.socket.emit('connect')
    assert.deepEqual(log, [])
    upstream.socket.emit('secureConnect')
    assert.deepEqual(log, ['connect'])
  })

  test('from the pool is already established', (t) => {
    const { attempt, log } = rig(t)
    const upstream = new FakeUpstream()
    upstream.reusedSocket = true
    attempt.handleRequest(upstream.asClientRequest)
    assert.deepEqual(log, ['connect'])
  })

  test('from an agent that has connected it, but not from the pool, is already established', (t) => {
    const { attempt, log } = rig(t)
    const upstream = new FakeUpstream()
    upstream.socket.connecting = false
    attempt.handleRequest(upstream.asClientRequest)
    assert.deepEqual(log, ['connect'])
  })

  test('learns which response it carries', (t) => {
    const socket = new EventEmitter() as Socket
    const answers = t.mock.method(new Connection(socket), 'handleResponse')
    const response = Object.assign(responseOf(), { socket })
    rig(t).attempt.handleResponse(response)
    assert.deepEqual(
      answers.mock.calls.map((call) => call.arguments),
      [[response]],
    )
  })

  test('is closed if it comes after the attempt has ended', (t) => {
    const { attempt, log } = rig(t)
    attempt.end()
    const upstream = new FakeUpstream()
    attempt.handleRequest(upstream.asClientRequest)
    assert.equal(upstream.destroyed, true)
    assert.deepEqual(log, [])
  })
})

describe('response and error', () => {
  test('only the first is reported', (t) => {
    const { attempt, log } = rig(t)
    attempt.handleResponse(responseOf())
    attempt.handleError(new Error('late'))
    assert.deepEqual(log, ['response'])
  })

  test('an error is reported once', (t) => {
    const { attempt, log } = rig(t)
    attempt.handleError(new Error('first'))
    attempt.handleError(new Error('second'))
    const response = responseOf()
    attempt.handleResponse(response)
    assert.deepEqual(log, ['error: first'])
    assert.equal(response.destroyed, true)
  })

  test('an error, in time or late, is reported without the bytes that could not be parsed', (t) => {
    const { attempt, log } = rig(t)
    for (const message of ['first', 'second']) {
      const error = Object.assign(new Error(message), { code: 'HPE_INVALID_CONSTANT', rawPacket: Buffer.from('x') })
      attempt.handleError(error)
      assert.deepEqual(Object.keys(error), ['code'])
    }
    assert.deepEqual(log, ['error: first'])
  })

  test('neither is reported after the end; a late response is discarded', (t) => {
    const { attempt, log } = rig(t)
    attempt.end()
    attempt.handleError(new Error('late'))
    const response = responseOf()
    attempt.handleResponse(response)
    assert.deepEqual(log, [])
    assert.equal(response.destroyed, true)
  })

  for (const [when, complete, expected] of [
    ['in the middle of an answer breaks that off, before Node ends it', false, 'reset'],
    ['after an answer that is complete does not concern it', true, undefined],
  ] as const) {
    test(`an error ${when}`, async (t) => {
      const { attempt, log } = rig(t)
      const response = Object.assign(responseOf(), { complete })
      attempt.handleResponse(response)
      attempt.handleError(new Error('reset'))
      // What Node's client does then with a body that only the end of its connection ends.
      response.complete = true
      response.push(null)
      await settled()
      assert.equal(response.errored?.message, expected)
      assert.deepEqual(log, ['response'])
    })
  }

  test('an error of the response always has a listener', (t) => {
    const { attempt } = rig(t)
    const response = responseOf()
    attempt.handleResponse(response)
    assert.doesNotThrow(() => response.emit('error', new Error('x')))
  })

  test('it is an error if http-proxy-middleware does not handle the request', (t) => {
    const { log, next } = rig(t)
    next(new Error('no target'))
    assert.deepEqual(log, ['error: no target'])
    const other = rig(t)
    other.next()
    assert.match(other.log[0]!, /^error: http-proxy-middleware did not handle/)
  })
})

describe('end()', () => {
  test('leaves the connection to the pool after an answer that was read to its end', async (t) => {
    const { attempt, closes } = rig(t)
    const upstream = new FakeUpstream()
    attempt.handleRequest(upstream.asClientRequest)
    const response = responseOf()
    attempt.handleResponse(response)
    response.resume().end()
    await new Promise((resolve) => response.once('end', resolve))
    attempt.end()
    assert.equal(upstream.destroyed, false)
    assert.deepEqual(closes, [true])
  })

  test('closes the connection after an answer that was not read to its end', (t) => {
    const { attempt, closes } = rig(t)
    const upstream = new FakeUpstream()
    attempt.handleRequest(upstream.asClientRequest)
    attempt.handleResponse(responseOf())
    attempt.end()
    assert.equal(upstream.destroyed, true)
    assert.deepEqual(closes, [false])
  })

  test('closes the connection after a request that was not sent to its end', async (t) => {
    const { attempt, closes } = rig(t)
    const upstream = new FakeUpstream()
    upstream.writableFinished = false
    attempt.handleRequest(upstream.asClientRequest)
    const response = responseOf()
    attempt.handleResponse(response)
    response.resume().end()
    await new Promise((resolve) => response.once('end', resolve))
    attempt.end()
    assert.equal(upstream.destroyed, true)
    assert.deepEqual(closes, [false])
  })

  test('notifies http-proxy-middleware 3 and 4 before there is a connection', (t) => {
    const { attempt, closes, req } = rig(t)
    let aborted = 0
    req.on('aborted', () => aborted++)
    attempt.end()
    assert.equal(aborted, 1)
    assert.deepEqual(closes, [false])
  })

  test('detaches from a request body that streams through, and lets it flow', (t) => {
    const body = responseOf()
    const { attempt, req } = rig(t, body)
    req.pipe(new PassThrough())
    attempt.end()
    assert.equal(body.listenerCount('data'), 0)
    assert.equal(body.readableFlowing, true)
  })

  test('has an effect once', (t) => {
    const { attempt, closes } = rig(t)
    attempt.end()
    attempt.end()
    assert.deepEqual(closes, [false])
  })
})

describe('wasStale', () => {
  const reset = Object.assign(new Error('read'), { code: 'ECONNRESET' })
  for (const [name, given, stale] of [
    ['a pooled connection that was reset at once', {}, true],
    [
      'a pooled connection that was written to when it was closed',
      { error: Object.assign(new Error(), { code: 'EPIPE' }) },
      true,
    ],
    ['a pooled connection that was reset after a while', { ms: 100 }, false],
    ['a pooled connection that had received bytes', { bytesRead: 11 }, false],
    ['a pooled connection that received invalid HTTP', { error: Object.assign(new Error(), { code: 'HPE_X' }) }, false],
    ['a new connection', { reusedSocket: false }, false],
  ] as const) {
    test(`${name}: ${stale}`, (t) => {
      const {
        reusedSocket = true,
        ms = 5,
        bytesRead = 10,
        error = reset,
      } = given as {
        reusedSocket?: boolean
        ms?: number
        bytesRead?: number
        error?: Error
      }
      const { attempt, advance } = rig(t)
      const upstream = new FakeUpstream()
      upstream.reusedSocket = reusedSocket
      upstream.socket.bytesRead = 10
      attempt.handleRequest(upstream.asClientRequest)
      upstream.socket.bytesRead = bytesRead
      advance(ms)
      assert.equal(attempt.isStale(error), stale)
    })
  }

  test('is false without a connection', (t) => assert.equal(rig(t).attempt.isStale(reset), false))
})
