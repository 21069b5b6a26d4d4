import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { boundedJson } from '../../lib/json/bounded-json.js'

const values: readonly unknown[] = [
  null,
  true,
  0,
  -1.5e300,
  '',
  'a "quoted"\nline with 🐙 and \u2028',
  [],
  {},
  [[], {}, [null, [1, [2]]]],
  { a: 1, 'b "c"': [{ d: 'e' }, 'f'], __proto__x: { '': null } },
]

test('a value that fits is as JSON.stringify() writes it', () => {
  for (const value of values) assert.equal(boundedJson(value, 1000), JSON.stringify(value))
})

test('a value that does not fit is cut to its beginning', () => {
  const whole = JSON.stringify(values)
  for (let max = 1; max < whole.length; max++) {
    const text = boundedJson(values, max)
    assert.ok(text.length <= max, `${text.length} characters of at most ${max}`)
    // A string that is cut is quoted at its cut.
    assert.ok(whole.startsWith(text.replace(/"$/, '')), `${max}: ${text}`)
  }
})

test('of nothing, nothing is written', () => {
  assert.equal(boundedJson({ a: 1 }, 0), '')
})

describe('a value costs no more than what is written of it', () => {
  test('however deeply it is nested', () => {
    let deep: unknown = 'end'
    for (let at = 0; at < 200_000; at++) deep = at % 2 ? [deep] : { a: deep }
    assert.equal(boundedJson(deep, 6), '[{"a":')
  })

  test('however many members it has, of which the later ones are not read', () => {
    const list = new Proxy(
      Array.from({ length: 100_000 }, (_, at) => at),
      {
        get(target, name, receiver) {
          if (typeof name === 'string' && Number(name) >= 10) assert.fail(`${name} was read`)
          return Reflect.get(target, name, receiver)
        },
      },
    )
    assert.equal(boundedJson(list, 10), '[0,1,2,3,4')
  })

  test('however long its strings are', () => {
    assert.equal(boundedJson(['x'.repeat(10_000_000)], 5), '["xxx')
  })
})
