import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AssumedOutput } from '../../lib/policies/assumed-output.js'

describe('the output to assume', () => {
  test('is 1,000 before there are ten answers, then their 90th percentile, by key and model', () => {
    const assumed = new AssumedOutput()
    for (let tokens = 1; tokens <= 9; tokens++) assumed.add('a', 'm', tokens)
    assert.equal(assumed.of('a', 'm'), 1000)
    assumed.add('a', 'm', 10)
    assert.deepEqual([assumed.of('a', 'm'), assumed.of('a', 'n'), assumed.of('b', 'm')], [9, 1000, 1000])
  })

  test('follows the last 100 answers', () => {
    const assumed = new AssumedOutput()
    for (let at = 0; at < 100; at++) assumed.add('a', undefined, 5000)
    for (let at = 0; at < 90; at++) assumed.add('a', undefined, 7)
    assert.equal(assumed.of('a', undefined), 7)
  })

  test('forgets the series that was used longest ago', () => {
    const assumed = new AssumedOutput()
    const fill = (key: string) => {
      for (let at = 0; at < 10; at++) assumed.add(key, 'm', 3)
    }
    fill('first')
    fill('second')
    for (let at = 0; at < 4998; at++) assumed.add(`${at}`, 'm', 1)
    fill('first')
    assumed.add('one more', 'm', 1)
    assert.deepEqual([assumed.of('first', 'm'), assumed.of('second', 'm')], [3, 1000])
  })
})

test('is the percentile of the last hundred, whatever came before', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(500), { minLength: 10, maxLength: 350 }), (outputs) => {
      const assumed = new AssumedOutput()
      for (const output of outputs) assumed.add('key', 'model', output)
      const sorted = outputs.slice(-100).sort((a, b) => a - b)
      assert.equal(assumed.of('key', 'model'), sorted[Math.ceil(sorted.length * 0.9) - 1])
    }),
  )
})
