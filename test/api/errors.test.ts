import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  AiProxyError,
  type FailureCode,
  limitFailure,
  type Outcome,
  setClientFormat,
  toFailure,
  toOneLine,
} from '../../lib/api/errors.js'
import type { ResolvedLimits as Limits } from '../../lib/api/limits.js'
import { getFormat } from '../../lib/formats/index.js'
import { defaultLimits } from '../../lib/options/limits.js'

const limitHits: [code: Parameters<typeof limitFailure>[0], status: number, limit: keyof Limits][] = [
  ['request_too_large', 413, 'maxRequestBytes'],
  ['too_many_exchanges', 503, 'maxConcurrentExchanges'],
  ['decoded_request_too_large', 413, 'maxDecodedRequestBytes'],
  ['held_bytes_exceeded', 503, 'maxHeldBytes'],
  ['too_many_streams', 503, 'maxConcurrentStreams'],
  ['upload_timeout', 504, 'uploadIdleTimeoutMs'],
  ['first_byte_timeout', 504, 'firstByteTimeoutMs'],
  ['first_token_timeout', 504, 'firstTokenTimeoutMs'],
  ['idle_timeout', 504, 'idleTimeoutMs'],
  ['progress_timeout', 504, 'progressTimeoutMs'],
  ['stream_too_long', 504, 'maxStreamDurationMs'],
  ['response_too_large', 502, 'maxResponseBytes'],
  ['event_too_large', 502, 'maxEventBytes'],
  ['output_tokens_exceeded', 502, 'maxOutputTokens'],
  ['slow_client', 503, 'drainTimeoutMs'],
]

describe('the headers against another try', () => {
  const [usual, other] = [getFormat('anthropic'), { ...getFormat('cohere'), noRetryHeaders: { 'acme-again': 'no' } }]
  const options = { headers: { 'retry-after': '5' } }

  test('are those of the format that the client speaks, whatever it was before', () => {
    const failure = new AiProxyError('aborted', 'No', options)
    assert.deepEqual(failure.headers, { 'x-should-retry': 'false', 'retry-after': '5' })
    setClientFormat(failure, other)
    assert.deepEqual(failure.headers, { 'acme-again': 'no', 'retry-after': '5' })
    setClientFormat(failure, usual)
    assert.deepEqual(failure.headers, { 'x-should-retry': 'false', 'retry-after': '5' })
  })

  test('stay as they are in an error that the app has frozen', () => {
    const failure = new AiProxyError('aborted', 'No', options)
    Object.freeze(failure)
    setClientFormat(failure, other)
    assert.deepEqual(failure.headers, { 'x-should-retry': 'false', 'retry-after': '5' })
  })

  test('are none of a failure that may pass', () => {
    const failure = new AiProxyError('overloaded', 'No', options)
    setClientFormat(failure, other)
    assert.deepEqual(failure.headers, { 'retry-after': '5' })
  })
})

describe('a limit that was exceeded', () => {
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

  test('every limit has its own failure, except terminatorGraceMs, which ends nothing early', () => {
    const limits = limitHits.map(([, , limit]) => limit)
    assert.deepEqual([...limits, 'terminatorGraceMs'].sort(), Object.keys(defaultLimits).sort())
  })
})

describe('other failures', () => {
  const table: [code: FailureCode, status: number, outcome: Outcome][] = [
    ['endpoint_not_allowed', 404, 'rejected'],
    ['invalid_request', 400, 'rejected'],
    ['unsupported_media_type', 415, 'rejected'],
    ['model_not_allowed', 403, 'rejected'],
    ['request_refused', 403, 'rejected'],
    ['aborted', 503, 'rejected'],
    ['overloaded', 503, 'rejected'],
    ['pipeline_too_long', 503, 'rejected'],
    ['credentials_unavailable', 500, 'rejected'],
    ['internal_error', 500, 'rejected'],
    ['upstream_unreachable', 502, 'upstream_error'],
    ['upstream_reset', 502, 'upstream_error'],
    ['upstream_truncated', 502, 'upstream_error'],
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

test('retry-after is set if the same request may succeed soon', () => {
  const soon: FailureCode[] = [
    'too_many_exchanges',
    'too_many_streams',
    'shutting_down',
    'overloaded',
    'pipeline_too_long',
  ]
  const codes: FailureCode[] = [...soon, 'upstream_reset', 'invalid_request']
  assert.deepEqual(
    codes.map((code) => new AiProxyError(code, '').headers),
    [...soon.map(() => ({ 'retry-after': '1' })), {}, {}],
  )
})

test('x-should-retry is false if a retry would only fail again and be billed again', () => {
  const given = [...limitHits.map(([code]) => code), 'aborted', 'internal_error', 'upstream_truncated'] as const
  const told = given.filter((code) => new AiProxyError(code, '').headers['x-should-retry'] === 'false')
  assert.deepEqual(told, [
    'request_too_large',
    'first_byte_timeout',
    'first_token_timeout',
    'stream_too_long',
    'response_too_large',
    'event_too_large',
    'output_tokens_exceeded',
    'aborted',
  ])
})

test('an explicit status replaces the code’s status', () => {
  const { status, statusCode, code, outcome } = new AiProxyError('request_refused', '', { status: 451 })
  assert.deepEqual([status, statusCode, code, outcome], [451, 451, 'request_refused', 'rejected'])
})

describe('toFailure', () => {
  test('returns an AiProxyError unchanged', () => {
    const failure = new AiProxyError('idle_timeout', 'x')
    assert.equal(toFailure(failure), failure)
  })

  for (const thrown of [new Error('secret path'), 'secret', undefined, null, { secret: 1 }]) {
    test(`keeps ${String(thrown)} as the private cause, and does not quote it`, () => {
      const failure = toFailure(thrown)
      assert.equal(failure.code, 'internal_error')
      assert.equal(failure.cause, thrown)
      assert.doesNotMatch(failure.message, /secret/)
    })
  }
})

test("shortens OpenSSL's errors to one line, without the source file", () => {
  const said =
    'write EPROTO 40F7:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/openssl/ssl/record/ssl3_record.c:355:\n'
  assert.equal(toOneLine(said), 'write EPROTO 40F7:error:0A00010B:SSL routines:ssl3_get_record:wrong version number')
})
