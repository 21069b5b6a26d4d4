import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RecentIds } from '../../lib/util/recent-ids.js'

describe('recent ids', () => {
  test('are remembered until as many others have come, and forgotten before twice as many', () => {
    const ids = new RecentIds(10)
    for (let at = 0; at < 100; at++) {
      ids.add(`${at}`)
      for (let before = 0; before < 10; before++) assert.equal(ids.has(`${at - before}`), before <= at)
      assert.equal(ids.has(`${at - 20}`), false)
    }
  })

  test('are forgotten once', () => {
    const ids = new RecentIds(2)
    for (const id of ['a', 'b', 'c']) ids.add(id)
    assert.deepEqual([ids.delete('a'), ids.delete('a'), ids.has('a')], [true, false, false])
    assert.deepEqual([ids.delete('c'), ids.has('c'), ids.has('b')], [true, false, true])
  })
})
