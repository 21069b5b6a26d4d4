import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { copyIncrementally } from '../../lib/json/copy.js'

type Copy = Record<string, unknown[]>

function copyOf(value: unknown): { copy: Copy; pieces: number } {
  const work = copyIncrementally(value)
  for (let pieces = 1; ; pieces++) {
    const { done, value: copy } = work.next()
    if (done) return { copy: copy as Copy, pieces }
  }
}

test('a copy has the same content, in the same order', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.equal(JSON.stringify(copyOf(JSON.parse(text)).copy), JSON.stringify(JSON.parse(text)))
    }),
  )
  const odd = JSON.parse('{"__proto__":{"a":1},"2":0,"1":[[],{}]}')
  assert.equal(JSON.stringify(copyOf(odd).copy), JSON.stringify(odd))
})

test('a copy and its source can be changed independently', () => {
  const value = JSON.parse('{"a":{"b":[1,{"c":2}]}}')
  const { copy } = copyOf(value)
  value.a.b[1].c = 3
  value.a.d = 4
  assert.deepEqual(copy, { a: { b: [1, { c: 2 }] } })
})

test('a copy is made in pieces', () => {
  const { copy, pieces } = copyOf({ x: Array(100_000).fill(7) })
  assert.equal(copy.x?.length, 100_000)
  assert.equal(pieces, 6)
})
