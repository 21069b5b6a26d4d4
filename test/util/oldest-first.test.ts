import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OldestFirst } from '../../lib/util/oldest-first.js'

test('the oldest key of a map is taken, whatever was deleted, added again or cleared before', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom('add', 'renew', 'delete'), key: fc.nat(9) }),
    fc.record({ do: fc.constantFrom('take', 'clear'), key: fc.constant(0) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const map = new Map<number, string>()
      const oldest = new OldestFirst(map)
      for (const { do: what, key } of steps) {
        if (what === 'clear') map.clear()
        if (what === 'delete' || what === 'renew') map.delete(key)
        if (what === 'add' || what === 'renew') map.set(key, '')
        if (what !== 'take') continue
        const [first] = map.keys()
        const taken = oldest.take()
        assert.equal(taken, first)
        if (taken !== undefined) map.delete(taken)
      }
    }),
    { numRuns: 1000 },
  )
})
