import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { duration } from '../../lib/formats/index.js'
import { type LimitStatus, limitHeaders } from '../../lib/quota/headers.js'

const limit: LimitStatus = { key: 'user:ada', kind: 'tokens', per: '1h', allowed: 100, used: 90, resetMs: 50_000 }

describe('the headers of limits', () => {
  const requests: LimitStatus = { key: 'a', kind: 'requests', per: '1m', allowed: 60, used: 12, resetMs: 90_000 }

  test('are those of the tightest limit of a kind, and of all in time', () => {
    const day: LimitStatus = { ...limit, per: 'day', allowed: 1000, used: 100 }
    const places: LimitStatus = { ...limit, kind: 'concurrent', per: '', allowed: 3, used: 1, resetMs: 0 }
    assert.deepEqual(limitHeaders([requests, day, limit, places]), {
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '48',
      'x-ratelimit-reset-requests': '1m30s',
      'x-ratelimit-limit-tokens': '100',
      'x-ratelimit-remaining-tokens': '10',
      'x-ratelimit-reset-tokens': '50s',
      'ratelimit-policy': '"requests-1m";q=60;w=60, "tokens-day-2";q=1000, "tokens-1h-3";q=100;w=3600',
      ratelimit: '"requests-1m";r=48;t=90, "tokens-day-2";r=900;t=50, "tokens-1h-3";r=10;t=50',
    })
  })

  test('never say that less than nothing remains; a limit of 0 is the tightest', () => {
    const headers = limitHeaders([
      { ...limit, used: 250.5 },
      { ...limit, key: 'b', allowed: 0, used: 0 },
    ])
    assert.deepEqual([headers['x-ratelimit-limit-tokens'], headers['x-ratelimit-remaining-tokens']], ['100', '0'])
  })

  test('are none for concurrency alone', () => {
    assert.deepEqual(limitHeaders([{ ...limit, kind: 'concurrent', per: '' }]), {})
  })

  test('write times as OpenAI does', () => {
    assert.deepEqual([0, 19.2, 999, 1000, 1001, 360_000, 7_200_000, 90_061_000].map(duration), [
      ...['0ms', '20ms', '999ms', '1s', '2s', '6m0s', '2h0m0s', '25h1m1s'],
    ])
  })
})
