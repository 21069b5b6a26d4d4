import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AiProxyError, type FailureCode, limitFailure, type Outcome, toFailure } from '../lib/errors.js'
import { defaultLimits, type Limits } from '../lib/limits.js'

const limitHits: [code: Parameters<typeof limitFailure>[0], status: number, limit: keyof Limits][] = [
  ['request_too_large', 413, 'maxRequestBytes'],
  ['too_many_streams', 503, 'maxConcurrentStreams'],
  ['first_byte_timeout', 504, 'firstByteTimeoutMs'],
  ['idle_timeout', 504, 'idleTimeoutMs'],
  ['stream_too_long', 504, 'maxStreamDurationMs'],
  ['response_too_large', 502, 'maxResponseBytes'],
  ['event_too_large', 502, 'maxEventBytes'],
  ['slow_client', 503, 'drainTimeoutMs'],
]

describe('a limit that was hit', () => {
  for (const [code, status, limit] of limitHits) {
    test(`${code}: ${status}, ${limit}`, () => {
      const failure = limitFailure(code, { ...defaultLimits, [limit]: 1234 })
      assert.ok(failure instanceof AiProxyError)
      assert.deepEqual(
        [failure.code, failure.status, failure.limit, failure.outcome],
        [code, status, limit, 'limit_exceeded'],
      )
      assert.ok(failure.message.endsWith(`(limits.${limit}: 1234)`), failure.message)
    })
  }

  test('every limit has a failure of its own', () => {
    assert.deepEqual(limitHits.map(([, , limit]) => limit).sort(), Object.keys(defaultLimits).sort())
  })
})

describe('other failures', () => {
  const table: [code: FailureCode, status: number, outcome: Outcome][] = [
    ['endpoint_not_allowed', 404, 'rejected'],
    ['invalid_request', 400, 'rejected'],
    ['credentials_unavailable', 500, 'rejected'],
    ['internal_error', 500, 'rejected'],
    ['upstream_unreachable', 502, 'upstream_error'],
    ['upstream_reset', 502, 'upstream_error'],
    ['upstream_error', 502, 'upstream_error'],
    ['shutting_down', 503, 'shutdown'],
  ]
  for (const [code, status, outcome] of table) {
    test(`${code}: ${status}, ${outcome}`, () => {
      const cause = new Error('inner')
      const failure = new AiProxyError(code, 'said', { cause })
      const { status: said, statusCode, limit, name, message } = failure
      assert.deepEqual([said, statusCode, failure.outcome, limit], [status, status, outcome, undefined])
      assert.deepEqual([name, message, failure.cause], ['AiProxyError', 'said', cause])
      assert.equal(failure.expose, true)
    })
  }
})

test('where the same request may succeed soon, retry-after says so', () => {
  const codes: FailureCode[] = ['too_many_streams', 'shutting_down', 'upstream_reset', 'invalid_request']
  assert.deepEqual(
    codes.map((code) => new AiProxyError(code, '').headers),
    [{ 'retry-after': '1' }, { 'retry-after': '1' }, {}, {}],
  )
})

describe('toFailure', () => {
  test('leaves ours as they are', () => {
    const failure = new AiProxyError('idle_timeout', 'x')
    assert.equal(toFailure(failure), failure)
  })

  for (const thrown of [new Error('secret path'), 'secret', undefined, null, { secret: 1 }]) {
    test(`tells nothing of ${String(thrown)}, and keeps it`, () => {
      const failure = toFailure(thrown)
      assert.equal(failure.code, 'internal_error')
      assert.equal(failure.cause, thrown)
      assert.doesNotMatch(failure.message, /secret/)
    })
  }
})
