import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FieldIndex } from '../../lib/formats/field-index.js'

describe('an index of fields', () => {
  const index = new FieldIndex([['a'], ['b', 'a'], ['b', 'c'], ['b'], ['toString'], ['c', 'valueOf'], []])

  for (const [what, object, values] of [
    ['fields at the top and below', { a: 1, b: { a: 2, c: 3, d: 4 }, d: 5 }, [1, 2, 3, { a: 2, c: 3, d: 4 }]],
    ['values of any kind', { a: null, b: [] }, [null, []]],
    ['no field that every object inherits', { c: {} }, []],
    ['nothing in what is no object', 'a', []],
    ['nothing in null', null, []],
  ] as const) {
    test(`finds ${what}`, () => assert.deepEqual(index.valuesIn(object), values))
  }

  test('finds a field that has an inherited name', () => {
    assert.deepEqual(index.valuesIn(JSON.parse('{"toString":1,"c":{"valueOf":2}}')), [1, 2])
  })
})
