import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { anyOf } from '../../lib/util/option-errors.js'
import { kindOf } from '../../lib/util/shown.js'

describe('kindOf', () => {
  for (const [value, kind] of [
    [null, 'null'],
    [undefined, 'undefined'],
    ['sk-secret', 'a string'],
    [5, 'a number'],
    [['sk-secret'], 'an array'],
    [{ key: 'sk-secret' }, 'an object'],
    [new Map(), 'a Map'],
    [Promise.resolve(), 'a Promise'],
    [() => {}, 'a function'],
  ] as const) {
    test(`names ${kind} without its content`, () => assert.equal(kindOf(value), kind))
  }
})

test('anyOf lists choices as a sentence does', () => {
  assert.equal(anyOf(["'a'"]), "'a'")
  assert.equal(anyOf(["'a'", "'b'"]), "'a' or 'b'")
  assert.equal(anyOf(["'a'", "'b'", 'a function']), "'a', 'b' or a function")
})
