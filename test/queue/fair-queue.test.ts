import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { DrainRate } from '../../lib/queue/drain-rate.js'
import { FairQueue } from '../../lib/queue/fair-queue.js'

const all = () => true

describe('a fair queue', () => {
  test('gives each tenant the same tokens, whatever its requests cost, and however many wait', () => {
    const queue = new FairQueue<{ tenant: string; cost: number }>()
    const add = (tenant: string, cost: number, count: number) => {
      for (let n = 0; n < count; n++) queue.push(tenant, { tenant, cost }, cost, 1)
    }
    add('large', 4000, 3000)
    add('small', 250, 30_000)
    add('middle', 1300, 9000)
    const tokens: Record<string, number> = {}
    for (let n = 0; n < 10_000; n++) {
      const { tenant, cost } = queue.shift(all)!
      tokens[tenant] = (tokens[tenant] ?? 0) + cost
    }
    const least = Math.min(...Object.values(tokens))
    const most = Math.max(...Object.values(tokens))
    assert.ok(most / least < 1.02, JSON.stringify(tokens))
  })

  test('gives tokens by weight', () => {
    const queue = new FairQueue<string>()
    for (let n = 0; n < 9000; n++)
      for (const [tenant, weight] of [
        ['a', 1],
        ['b', 2],
        ['c', 5],
      ] as const)
        queue.push(tenant, tenant, 700, weight)
    const counts: Record<string, number> = { a: 0, b: 0, c: 0 }
    for (let n = 0; n < 8000; n++) counts[queue.shift(all)!]!++
    for (const [tenant, share] of [
      ['a', 1000],
      ['b', 2000],
      ['c', 5000],
    ] as const) {
      assert.ok(Math.abs(counts[tenant]! - share) <= 20, JSON.stringify(counts))
    }
  })

  test('lets one begin first that needs fewer rounds, although its tenant comes later', () => {
    const queue = new FairQueue<string>()
    queue.push('a', 'of 5 rounds', 5000, 1)
    queue.push('b', 'of 4 rounds', 4000, 1)
    assert.deepEqual([queue.shift(all), queue.shift(all)], ['of 4 rounds', 'of 5 rounds'])
  })

  test('is first come first served within a tenant', () => {
    const queue = new FairQueue<number>()
    for (let n = 0; n < 10; n++) queue.push('a', n, 100 * (n % 3), 1)
    assert.deepEqual(
      Array.from({ length: 10 }, () => queue.shift(all)),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    )
  })

  test('passes over what cannot run, which keeps its place', () => {
    const queue = new FairQueue<string>()
    for (const item of ['a1', 'a2', 'a3']) queue.push('a', item, 10, 1)
    queue.push('b', 'b1', 10, 1)
    const canRun = (item: string) => item !== 'a1'
    assert.deepEqual([queue.shift(canRun), queue.shift(canRun), queue.shift(canRun), queue.shift(canRun)].sort(), [
      'a2',
      'a3',
      'b1',
      undefined,
    ])
    assert.equal(queue.shift(all), 'a1')
  })

  test('a tenant whose requests cost more than was expected waits longer for the next', () => {
    const queue = new FairQueue<string>()
    for (let n = 0; n < 50; n++) for (const tenant of ['a', 'b']) queue.push(tenant, tenant, 1000, 1)
    queue.shift(all)
    queue.charge('a', 10_000, 1)
    const next = Array.from({ length: 11 }, () => queue.shift(all))
    assert.ok(next.filter((tenant) => tenant === 'b').length >= 10, next.join(''))
  })

  test('a tenant owes what it used beyond its cost, also if it has nothing waiting or leaves', () => {
    const queue = new FairQueue<string>()
    const next = (count: number) => Array.from({ length: count }, () => queue.shift(all)).join('')
    for (let n = 0; n < 100; n++) queue.push('b', 'b', 1000, 1)
    queue.charge('a', 10_000, 1)
    queue.push('a', 'a', 1000, 1)
    assert.equal(queue.remove('a', 'a'), true)
    queue.push('a', 'a', 1000, 1)
    assert.match(next(12), /^b{10,11}ab*$/)
    assert.equal(next(5), 'bbbbb')
    queue.charge('a', 10_000, 5)
    assert.equal(next(2), 'bb')
    queue.push('a', 'a', 1000, 5)
    assert.match(next(2), /a/, 'it has paid by five times as much in each round')
  })

  test('a tenant owes nothing for what it used while no other waited', () => {
    const queue = new FairQueue<string>()
    queue.charge('a', 1_000_000, 1)
    queue.push('b', 'b', 1000, 1)
    queue.charge('a', 1_000_000, 1)
    assert.equal(queue.shift(all), 'b')
    for (const tenant of ['b', 'b', 'a']) queue.push(tenant, tenant, 1000, 1)
    assert.match([queue.shift(all), queue.shift(all)].join(''), /a/)
  })

  test('remembers the debts of 10,000 tenants, and forgets the oldest beyond that', () => {
    const afterDebts = (tenants: number) => {
      const queue = new FairQueue<string>()
      for (let n = 0; n < 50; n++) queue.push('b', 'b', 1000, 1)
      for (let n = 0; n < tenants; n++) queue.charge(`t${n}`, 20_000, 1)
      queue.push('t0', 'owes', 1000, 1)
      return Array.from({ length: 10 }, () => queue.shift(all)).includes('owes')
    }
    assert.equal(afterDebts(10_000), false)
    assert.equal(afterDebts(10_001), true)
  })

  test('for any pushes, removals and shifts nothing is lost or doubled, and no tenant starves', () => {
    const step = fc.oneof(
      fc.record({ tenant: fc.constantFrom('a', 'b', 'c'), cost: fc.integer({ min: 0, max: 9000 }) }),
      fc.constantFrom('shift', 'remove'),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const queue = new FairQueue<{ n: number; tenant: string }>()
        const waiting = new Map<number, { n: number; tenant: string }>()
        for (const [n, each] of steps.entries()) {
          if (each === 'shift') {
            const item = queue.shift(all)
            assert.equal(item === undefined, waiting.size === 0)
            if (item) {
              const first = [...waiting.values()].find(({ tenant }) => tenant === item.tenant)
              assert.equal(first, item)
              waiting.delete(item.n)
            }
          } else if (each === 'remove') {
            const [, last] = [...waiting].at(-1) ?? []
            if (last) {
              assert.equal(queue.remove(last.tenant, last), true)
              assert.equal(queue.remove(last.tenant, last), false)
              waiting.delete(last.n)
            }
          } else {
            const item = { n, tenant: each.tenant }
            queue.push(each.tenant, item, each.cost, 1)
            waiting.set(n, item)
          }
          assert.equal(queue.length, waiting.size)
        }
        for (let left = waiting.size; left > 0; left--) assert.ok(queue.shift(all))
        assert.equal(queue.shift(all), undefined)
        assert.equal(queue.byTenant().size, 0)
      }),
      { numRuns: 300 },
    )
  })
})

describe('the rate at which a queue drains', () => {
  test('says how long a number of exchanges takes', () => {
    const rate = new DrainRate()
    assert.equal(rate.secondsFor(100, 0), 1)
    rate.setBusy(true, 0)
    for (let n = 0; n <= 10; n++) rate.add(n * 500)
    assert.equal(rate.secondsFor(20, 5000), 10)
    assert.ok(rate.secondsFor(20, 50_000) > 80, 'if nothing ends any more, it takes longer')
    assert.equal(rate.secondsFor(1e9, 5000), 600)
  })

  test('does not fall while nothing waits', () => {
    const rate = new DrainRate()
    rate.setBusy(true, 0)
    for (let n = 0; n <= 10; n++) rate.add(n * 500)
    rate.setBusy(false, 5000)
    rate.add(6000)
    const nextDay = 24 * 3600 * 1000
    rate.setBusy(true, nextDay)
    assert.equal(rate.secondsFor(20, nextDay), 10)
    rate.add(nextDay + 500)
    assert.equal(rate.secondsFor(22, nextDay + 500), 11)
  })
})
