import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { allText, argumentsText, firstText, listAt, textAt, valueAt } from '../../lib/formats/fields.js'

describe('valueAt', () => {
  const root = { a: { b: [{ c: 1 }, null], n: null }, s: 'text' }
  test('follows keys and indexes', () => assert.equal(valueAt(root, 'a', 'b', 0, 'c'), 1))
  test('no keys: the root itself', () => assert.equal(valueAt(root), root))
  for (const path of [
    ['x'],
    ['x', 'y'],
    ['a', 'b', 1, 'c'],
    ['a', 'b', 2],
    ['a', 'n', 'x'],
    ['s', 'length'],
    ['s', 0],
  ]) {
    test(`finds nothing at ${path.join('.')}`, () => assert.equal(valueAt(root, ...path), undefined))
  }
  for (const root of [undefined, null, 5, 'a', true]) {
    test(`finds nothing in ${root}`, () => assert.equal(valueAt(root, 'a'), undefined))
  }
  test('finds nothing that is inherited', () => assert.equal(valueAt({}, 'toString'), undefined))
  test('reads objects without a prototype', () => {
    assert.equal(valueAt(Object.assign(Object.create(null), { a: 1 }), 'a'), 1)
  })
})

test('textAt returns strings that are not empty', () => {
  const root = { a: 'x', empty: '', number: 1, list: ['x'], object: {}, nothing: null }
  assert.equal(textAt(root, 'a'), 'x')
  for (const key of ['empty', 'number', 'list', 'object', 'nothing', 'none']) assert.equal(textAt(root, key), undefined)
})

test('listAt returns arrays, and an empty one for anything else', () => {
  assert.deepEqual(listAt({ a: [1] }, 'a'), [1])
  for (const a of [{ 0: 1, length: 1 }, 'x', null, 1]) assert.deepEqual(listAt({ a }, 'a'), [])
})

test('firstText and allText read texts from lists', () => {
  const list = [null, { t: '' }, { t: 'a' }, 5, { t: 'b' }]
  assert.equal(
    firstText(list, (item) => textAt(item, 't')),
    'a',
  )
  assert.equal(
    allText(list, (item) => textAt(item, 't')),
    'ab',
  )
  assert.equal(
    firstText([], () => 'x'),
    undefined,
  )
  assert.equal(
    allText([], () => 'x'),
    '',
  )
})

describe('argumentsText', () => {
  for (const [value, text] of [
    ['{"a":', '{"a":'],
    [{ a: [1] }, '{"a":[1]}'],
    [[1], '[1]'],
    [null, undefined],
    [undefined, undefined],
    [5, undefined],
    [true, undefined],
  ] as const) {
    test(`${JSON.stringify(value)}`, () => assert.equal(argumentsText(value), text))
  }
  test('handles values nested too deep to be serialised, which some versions of Node omit', () => {
    const depth = 200_000
    const text = '['.repeat(depth) + ']'.repeat(depth)
    assert.ok([text, undefined].includes(argumentsText(JSON.parse(text))))
  })
})
