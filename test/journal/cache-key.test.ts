import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cacheKey } from '../../lib/journal/cache-key.js'

const keyOf = (json: string) =>
  cacheKey({
    scope: 's',
    targets: ['t'],
    path: '/p',
    query: [],
    headers: {},
    body: JSON.parse(json) as unknown,
    ignoredFields: ['who'],
    stream: true,
  })

describe('the key of an answer', () => {
  test('depends on no order of fields, but on the order of lists', () => {
    assert.equal(keyOf('{"a":1,"b":{"c":2,"d":3}}'), keyOf('{"b":{"d":3,"c":2},"a":1}'))
    assert.notEqual(keyOf('{"a":[1,2]}'), keyOf('{"a":[2,1]}'))
  })

  test('does not depend on fields that say who asks, if they are at the top', () => {
    assert.equal(keyOf('{"a":1,"who":1}'), keyOf('{"a":1}'))
    assert.notEqual(keyOf('{"a":{"who":1}}'), keyOf('{"a":{}}'))
  })

  for (const number of ['9007199254740992', '-9007199254740993', '1e400', '123456789012345678901234567890']) {
    test(`is refused to the number ${number}, which JavaScript does not tell from its neighbours`, () => {
      assert.throws(() => keyOf(`{"a":[{"seed":${number}}]}`), RangeError)
    })
  }

  test('takes the largest exact numbers and fractions', () => {
    assert.notEqual(keyOf('{"a":9007199254740991}'), keyOf('{"a":9007199254740990}'))
    assert.notEqual(keyOf('{"a":0.1}'), keyOf('{"a":0.2}'))
  })
})
