import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import type { Request, Response } from 'express'
import type { AiProxyError } from '../../lib/api/errors.js'
import { Deadlines } from '../../lib/exchange/deadlines.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import type { ReachableProvider } from '../../lib/handle/reachable-provider.js'
import { type DispatchEvents, RequestDispatch } from '../../lib/handle/request-dispatch.js'
import { defaultLimits } from '../../lib/options/limits.js'
import type { Attempt } from '../../lib/upstream/attempt.js'
import { NO_SECRETS } from '../../lib/util/secrets.js'
import { settled } from '../support/event-loop.js'
import { FakeResponse } from '../support/fake-response.js'
import { ManualTimers } from '../support/manual-timers.js'

/** An upload under way, with 100 ms to stand still. */
function uploading() {
  const timers = new ManualTimers()
  const failures: AiProxyError[] = []
  const req = { method: 'POST', url: '/v1/audio', socket: { destroyed: false } } as unknown as Request
  const exchange = new Exchange(req, new FakeResponse() as unknown as Response)
  const events: DispatchEvents = {
    onStart: () => exchange.attempts.begin('provider', undefined),
    onAnswer: () => assert.fail('there is no answer'),
    onFailure: (failure) => failures.push(failure),
    onBodyDone: () => {},
  }
  const limits = { ...defaultLimits, uploadIdleTimeoutMs: 100, maxRequestBytes: 10 }
  Object.assign(exchange, { deadlines: new Deadlines(timers), limits })
  const provider = { upstream: { handle: () => {} } } as unknown as ReachableProvider
  const body = new PassThrough()
  const client = { remoteAddress: undefined, encrypted: false }
  const request = { method: 'POST', url: '/v1/audio', headers: {}, body: body as unknown as IncomingMessage, client }
  const prepared = { request, unasked: undefined, hidesUsage: false, secrets: NO_SECRETS }
  const sending = new RequestDispatch(prepared, exchange, provider, events)
  sending.runTurn()
  return { timers, body, req, sending, told: () => failures.map(({ code, status }) => `${code} ${status}`) }
}

describe('an upload', () => {
  test('may take any time while it progresses', async () => {
    const { timers, sending, body, told } = uploading()
    for (let at = 0; at < 10; at++) {
      timers.advance(99)
      sending.onRequestChunk(Buffer.from('x'))
    }
    body.resume().end()
    await settled()
    timers.advance(1000)
    assert.deepEqual(told(), [])
  })

  test('of as many bytes as allowed passes, and fails with one more', () => {
    const { sending, told } = uploading()
    sending.onRequestChunk(Buffer.from('01234'))
    sending.onRequestChunk(Buffer.from('56789'))
    assert.deepEqual(told(), [])
    sending.onRequestChunk(Buffer.from('x'))
    assert.deepEqual(told(), ['request_too_large 413'])
  })

  test('that stalls because the client sends nothing ends with 408', () => {
    const { timers, body, told } = uploading()
    body.resume()
    timers.advance(100)
    assert.deepEqual(told(), ['upload_timeout 408'])
  })

  test('that stalls because the provider reads nothing ends with 504', () => {
    const { timers, body, told } = uploading()
    body.pause()
    timers.advance(100)
    assert.deepEqual(told(), ['upload_timeout 504'])
  })
})

/** An attempt that got a connection which may be dead, and needs a new one. */
const pooled = { end() {}, gotPooledConnection: true, connected: false, isStale: () => false } as unknown as Attempt
const needsNew = new Error('the request needs a new connection')

describe('a request that needs a new connection', () => {
  test('is not under way until it goes out again', async () => {
    const { sending, told } = uploading()
    assert.equal(sending.isUnderWay, true)
    sending.onError(needsNew, pooled)
    assert.equal(sending.isUnderWay, false)
    await settled()
    assert.deepEqual([sending.isUnderWay, told()], [true, []])
  })

  test('fails at once if its client has left', async () => {
    const { req, sending, told } = uploading()
    Object.assign(req.socket, { destroyed: true })
    sending.onError(needsNew, pooled)
    assert.deepEqual([sending.isUnderWay, told()], [false, ['upstream_unreachable 502']])
  })
})
