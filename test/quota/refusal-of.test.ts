import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { refusalOf } from '../../lib/quota/refusal-of.js'

const limit = { key: 'user:ada', kind: 'tokens', per: '1m', allowed: 10, used: 10, resetMs: 90_000 } as const
const headersOf = (fitsInMs: number) => refusalOf({ limit, needs: 1, fitsInMs }, {}, 'openai-chat').headers

describe('a client that tries again by itself', () => {
  test('is told when, up to a minute: SDKs wait as long', () => {
    assert.deepEqual(headersOf(0), { 'retry-after': '1' })
    assert.deepEqual(headersOf(60_000), { 'retry-after': '60' })
  })

  test('is told not to, beyond that', () => {
    assert.deepEqual(headersOf(60_001), { 'retry-after': '61', 'x-should-retry': 'false' })
    assert.deepEqual(headersOf(Number.POSITIVE_INFINITY), { 'x-should-retry': 'false' })
  })
})
