import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, test } from 'node:test'
import { mergedVary, responseHeaders, streamHeaders } from '../../lib/stream/response-head.js'
import { FakeResponse } from '../support/fake-response.js'

const from = (headers: Record<string, string | string[]>) => ({ headers }) as unknown as IncomingMessage

describe('responseHeaders', () => {
  test('drops what is hop-by-hop, and what `connection` names', () => {
    const headers = responseHeaders(
      from({
        connection: 'Keep-Alive, X-Hop',
        'keep-alive': 'timeout=5',
        'transfer-encoding': 'chunked',
        upgrade: 'h2c',
        trailer: 'x',
        te: 'trailers',
        'proxy-authenticate': 'Basic',
        'x-hop': '1',
        'x-request-id': 'r1',
      }),
      false,
    )
    assert.deepEqual(headers, { 'x-request-id': 'r1' })
  })

  test('drops what speaks for the provider as an origin', () => {
    const headers = responseHeaders(
      from({
        'set-cookie': ['__cf_bm=x'],
        'strict-transport-security': 'max-age=1',
        'alt-svc': 'h3',
        'access-control-allow-origin': '*',
        'access-control-expose-headers': 'x',
        'content-type': 'application/json',
      }),
      false,
    )
    assert.deepEqual(headers, { 'content-type': 'application/json' })
  })

  for (const name of [
    'set-cookie2',
    'nel',
    'report-to',
    'reporting-endpoints',
    'clear-site-data',
    'x-accel-redirect',
    'x-accel-buffering',
    'x-sendfile',
    'www-authenticate',
    'refresh',
    'content-security-policy',
    'content-security-policy-report-only',
    'cross-origin-opener-policy',
    'x-frame-options',
    'referrer-policy',
    'permissions-policy',
    'service-worker-allowed',
  ]) {
    test(`drops ${name}`, () =>
      assert.deepEqual(responseHeaders(from({ [name]: 'x', etag: 'y' }), false), { etag: 'y' }))
  }

  test('keeps what errors say: retry-after, rate limits', () => {
    const said = {
      'retry-after': '7',
      'x-ratelimit-remaining-requests': '0',
      'anthropic-ratelimit-tokens-reset': '2030-01-01T00:00:00Z',
      'content-length': '12',
      'content-encoding': 'gzip',
    }
    assert.deepEqual(responseHeaders(from(said), false), said)
  })

  test('of a decoded response has neither the encoding nor its length', () => {
    const headers = responseHeaders(from({ 'content-encoding': 'gzip', 'content-length': '12', etag: 'x' }), true)
    assert.deepEqual(headers, { etag: 'x' })
  })
})

describe('streamHeaders', () => {
  for (const [given, expected] of [
    [undefined, 'no-cache, no-transform'],
    ['no-cache', 'no-cache, no-transform'],
    ['private, max-age=0', 'private, max-age=0, no-transform'],
    ['no-cache, No-Transform', 'no-cache, No-Transform'],
  ] as const) {
    test(`cache-control ${given}: ${expected}`, () => {
      const headers = streamHeaders({ 'cache-control': given })
      assert.equal(headers['cache-control'], expected)
    })
  }

  test('tells nginx not to buffer, and has no length', () => {
    const headers = streamHeaders({ 'content-type': 'text/event-stream', 'content-length': '5', 'x-a': '1' })
    assert.deepEqual(headers, {
      'content-type': 'text/event-stream',
      'x-a': '1',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
  })

  test('has a content type where the provider has not answered yet', () => {
    assert.match(String(streamHeaders({})['content-type']), /^text\/event-stream/)
  })
})

describe('mergedVary', () => {
  for (const [ours, theirs, merged] of [
    [undefined, undefined, undefined],
    // Nothing to set: the app's own stands.
    ['Origin', undefined, undefined],
    [undefined, 'Accept', 'Accept'],
    ['Origin', 'Accept', 'Origin, Accept'],
    [['Origin', 'Cookie'], 'Accept', 'Origin, Cookie, Accept'],
  ] as const) {
    test(`${ours} and ${theirs}: ${merged}`, () => {
      const res = new FakeResponse()
      if (ours) res.setHeader('vary', ours)
      assert.equal(mergedVary(res.asServerResponse, theirs), merged)
    })
  }
})
