import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { backoffMs } from '../../lib/routing/backoff.js'

describe('the backoff', () => {
  const range = [250, 4000] as const

  for (const [retry, boundMs] of [250, 500, 1000, 2000, 4000, 4000, 4000].entries()) {
    test(`is anything up to ${boundMs} ms before retry ${retry}`, () => {
      assert.equal(
        backoffMs(retry, range, () => 0),
        0,
      )
      assert.equal(
        backoffMs(retry, range, () => 0.5),
        boundMs / 2,
      )
    })
  }

  test('stays within its bound after very many retries', () => {
    assert.equal(
      backoffMs(5000, range, () => 0.5),
      2000,
    )
  })

  test('is none if its bounds are 0', () => {
    assert.equal(
      backoffMs(3, [0, 0], () => 0.5),
      0,
    )
  })
})
