import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Exchange } from '../../lib/exchange/exchange.js'
import { UsageRefusals } from '../../lib/request/usage-refusals.js'

test('refusals are remembered by path and model, the newest thousand of them', () => {
  const of = (path: string, model: string | undefined) => ({ path, model }) as Exchange
  const refusals = new UsageRefusals()
  assert.equal(refusals.has(of('/a', 'm')), false)
  for (let at = 0; at < 1000; at++) refusals.add(of('/a', `m${at}`))
  assert.deepEqual(
    [of('/a', 'm0'), of('/a', 'm999'), of('/b', 'm0'), of('/a', undefined)].map((each) => refusals.has(each)),
    [true, true, false, false],
  )
  refusals.add(of('/a', 'm999'))
  assert.equal(refusals.has(of('/a', 'm0')), true)
  refusals.add(of('/b', undefined))
  assert.deepEqual(
    [of('/a', 'm0'), of('/a', 'm1'), of('/b', undefined)].map((each) => refusals.has(each)),
    [false, true, true],
  )
})
