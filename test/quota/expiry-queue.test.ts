import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ExpiryQueue } from '../../lib/quota/expiry-queue.js'

describe('a queue of what expires', () => {
  test('gives what is due, the earliest first, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(50), fc.nat(50))), (steps) => {
        const queue = new ExpiryQueue<number>()
        let model: number[] = []
        for (const [at, now] of steps) {
          queue.add(at, at)
          model = [...model, at].sort((a, b) => a - b)
          const due = model.filter((each) => each <= now)
          model = model.filter((each) => each > now)
          for (const each of due) assert.equal(queue.takeDue(now), each)
          assert.equal(queue.takeDue(now), undefined)
          assert.equal(queue.size, model.length)
        }
      }),
    )
  })

  test('has nothing after it was cleared', () => {
    const queue = new ExpiryQueue<string>()
    queue.add('a', 1)
    queue.clear()
    assert.deepEqual([queue.size, queue.takeDue(2)], [0, undefined])
  })
})
