import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isObject, tryParseJson } from '../../lib/json/json.js'

describe('tryParseJson', () => {
  for (const [text, value] of [
    ['{"a":[1]}', { a: [1] }],
    [' null ', null],
    ['""', ''],
    ['0', 0],
    ['', undefined],
    ['{"a":', undefined],
    ['undefined', undefined],
    ['[DONE]', undefined],
    ['[END] of it', undefined],
    ['[Z', undefined],
    ['[@]', undefined],
    ['[', undefined],
    ['[[]]', [[]]],
  ] as const) {
    test(`${JSON.stringify(text)}: ${JSON.stringify(value)}`, () => assert.deepEqual(tryParseJson(text), value))
  }

  test('does not parse a word in brackets, which would cost an error at the end of each stream', (t) => {
    const parse = t.mock.method(JSON, 'parse')
    for (const text of ['[DONE]', '[END]']) tryParseJson(text)
    assert.equal(parse.mock.callCount(), 0)
  })
})

describe('isObject', () => {
  for (const value of [{}, Object.create(null), new Map()]) {
    test(`is true for ${Object.prototype.toString.call(value)}`, () => assert.equal(isObject(value), true))
  }
  for (const value of [null, undefined, [], 'x', 5, () => {}]) {
    test(`is false for ${JSON.stringify(value) ?? typeof value}`, () => assert.equal(isObject(value), false))
  }
})
