import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoize } from '../../lib/util/memoize.js'

/** A function that says how often it was called for what. */
function counting<T>(compute: (text: string) => T) {
  const calls: string[] = []
  const remembered = memoize((text) => {
    calls.push(text)
    return compute(text)
  })
  return { calls, remembered }
}

describe('a memoized function', () => {
  test('is called once for each string', () => {
    const { calls, remembered } = counting((text) => text.toUpperCase())
    assert.deepEqual(['a', 'b', 'a', 'a'].map(remembered), ['A', 'B', 'A', 'A'])
    assert.deepEqual(calls, ['a', 'b'])
  })

  test('caches false as well', () => {
    const { calls, remembered } = counting(() => false)
    for (let time = 0; time < 3; time++) assert.equal(remembered('x'), false)
    assert.equal(calls.length, 1)
  })

  test('has no results for names that every object inherits', () => {
    const { remembered } = counting((text) => `seen ${text}`)
    for (const name of ['constructor', '__proto__', 'toString']) assert.equal(remembered(name), `seen ${name}`)
  })

  test('caches a bounded number of results, because clients choose the strings; the first ones stay', () => {
    const { calls, remembered } = counting((text) => text)
    for (let at = 0; at < 10_000; at++) remembered(`${at}`)
    const before = calls.length
    remembered('0')
    assert.equal(calls.length, before)
    for (const late of ['9999', '9999', '5000']) assert.equal(remembered(late), late)
    assert.equal(calls.length, before + 3)
  })

  test('does not cache an exception', () => {
    let fails = true
    const { remembered } = counting((text) => {
      if (fails) throw new Error('no')
      return text
    })
    assert.throws(() => remembered('a'), /no/)
    fails = false
    assert.equal(remembered('a'), 'a')
  })
})
