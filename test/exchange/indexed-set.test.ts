import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Indexed, IndexedSet } from '../../lib/exchange/indexed-set.js'

test('holds what a Set would hold, for any sequence of additions and deletions', () => {
  const members = fc.nat({ max: 7 })
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), members)), (steps) => {
      const pool: Indexed[] = Array.from({ length: 8 }, () => ({ index: -1 }))
      const passing = new IndexedSet<Indexed>()
      const plain = new Set<Indexed>()
      for (const [adds, index] of steps) {
        const member = pool[index]!
        if (adds) passing.add(member)
        else passing.delete(member)
        if (adds) plain.add(member)
        else plain.delete(member)
        assert.equal(passing.size, plain.size)
        for (const each of pool) assert.equal(passing.has(each), plain.has(each))
        assert.deepEqual(new Set(passing.all()), plain)
      }
    }),
  )
})

test('all() returns a copy, which does not change while members are deleted', () => {
  const passing = new IndexedSet<Indexed>()
  for (let count = 0; count < 3; count++) passing.add({ index: -1 })
  const seen = passing.all().map((member) => {
    passing.delete(member)
    return member.index
  })
  assert.deepEqual(seen, [-1, -1, -1])
  assert.equal(passing.size, 0)
})

test('a member of another set does not belong to this one', () => {
  const [one, other] = [new IndexedSet<Indexed>(), new IndexedSet<Indexed>()]
  const [member, stranger] = [{ index: -1 }, { index: -1 }]
  one.add(member)
  other.add(stranger)
  assert.equal(one.has(stranger), false)
  one.delete(stranger)
  assert.deepEqual([one.size, other.size, stranger.index], [1, 1, 0])
})
