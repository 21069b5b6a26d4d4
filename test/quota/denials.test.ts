import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Denials } from '../../lib/quota/denials.js'
import type { LimitStatus } from '../../lib/quota/headers.js'

const limit: LimitStatus = { key: 'user:ada', kind: 'tokens', per: '1h', allowed: 100, used: 90, resetMs: 50_000 }
const exceeded = { limit, needs: 20, fitsInMs: 40_000 }
const bucket = 'user:ada\ntokens:1h'

describe('a denial is remembered', () => {
  const made = (fitsInMs = exceeded.fitsInMs) => {
    const denials = new Denials()
    denials.add(bucket, 100, 20, { ...exceeded, fitsInMs }, 1000)
    return denials
  }

  test('for as much and more, as of now, until there is room', () => {
    const denials = made()
    assert.deepEqual(denials.find(bucket, 100, 20, 11_000), {
      limit: { ...limit, resetMs: 40_000 },
      needs: 20,
      fitsInMs: 30_000,
    })
    assert.ok(denials.find(bucket, 100, 500, 40_999))
    assert.equal(denials.find(bucket, 100, 20, 41_000), undefined)
  })

  test('not for less, another bucket, or a larger limit', () => {
    const denials = made()
    assert.equal(denials.find(bucket, 100, 19, 2000), undefined)
    assert.equal(denials.find('user:ada\ntokens:1d', 100, 20, 2000), undefined)
    assert.equal(denials.find(bucket, 101, 20, 2000), undefined)
    assert.ok(denials.find(bucket, 99, 20, 2000))
  })

  test('for a minute at most', () => {
    for (const fitsInMs of [3_600_000, Number.POSITIVE_INFINITY]) {
      assert.ok(made(fitsInMs).find(bucket, 100, 20, 60_999))
      assert.equal(made(fitsInMs).find(bucket, 100, 20, 61_000), undefined)
    }
  })

  test('until its key is forgotten, and of 10,000 the oldest goes', () => {
    const denials = made()
    denials.forget('user:ad')
    assert.ok(denials.find(bucket, 100, 20, 2000))
    denials.forget('user:ada')
    assert.equal(denials.find(bucket, 100, 20, 2000), undefined)
    for (let at = 0; at <= 10_000; at++) denials.add(`${at}\nx`, 1, 1, exceeded, 1000)
    assert.deepEqual(
      ['0\nx', '1\nx', '10000\nx'].map((name) => denials.find(name, 1, 1, 1000) !== undefined),
      [false, true, true],
    )
  })
})
