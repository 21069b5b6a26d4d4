import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maxExchangesByDescriptors } from '../../lib/util/descriptors.js'

const limits = (soft: string) => `Limit                     Soft Limit           Hard Limit           Units
Max processes             127000               127000               processes
Max open files            ${soft}                 524288               files
`

for (const [descriptors, exchanges] of [
  ['16', 10],
  ['256', 100],
  ['1024', 400],
  ['2048', 800],
  ['20000', 1000],
  ['unlimited', 1000],
] as const) {
  test(`a process with ${descriptors} descriptors may have ${exchanges} exchanges at once`, () => {
    assert.equal(maxExchangesByDescriptors(limits(descriptors)), exchanges)
  })
}

test('the default is 1,000 if the limit cannot be read', () => assert.equal(maxExchangesByDescriptors(''), 1000))
