import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { fastestOrder } from '../../lib/routing/fastest.js'
import { leastBusyOrder } from '../../lib/routing/least-busy.js'
import { WeightedBalancer } from '../../lib/routing/weighted.js'
import { ManualClock } from '../support/manual-clock.js'
import { busy, names, seeded, shares, state, weighted } from '../support/targets.js'

const never = () => 0.999

describe('weighted round robin', () => {
  for (const weights of [[1], [1, 1], [5, 1, 1], [3, 2], [0.9, 0.1], [0.05, 0.15, 0.8], [1000, 1], [1, 2, 3, 4, 5]]) {
    test(`gives 10,000 picks by the weights ${weights.join(', ')}`, () => {
      const targets = weighted(...weights)
      const balancer = new WeightedBalancer()
      const share = shares(10_000, () => balancer.order(targets)[0]!)
      const total = weights.reduce((sum, weight) => sum + weight)
      for (const [at, weight] of weights.entries()) {
        const expected = weight / total
        assert.ok(Math.abs((share[`t${at}`] ?? 0) - expected) <= 0.02 * expected + 1e-4, `t${at}: ${share[`t${at}`]}`)
      }
    })
  }

  test('is smooth', () => {
    const targets = weighted(5, 1, 1)
    const balancer = new WeightedBalancer()
    const picks = Array.from({ length: 14 }, () => balancer.order(targets)[0]!.name)
    assert.deepEqual(
      picks,
      [...'0010200', ...'0010200'].map((digit) => `t${digit}`),
    )
  })

  test('never strays from the share of a target by as many picks as there are targets', () => {
    const weight = fc.double({ min: 0.01, max: 100, noNaN: true })
    fc.assert(
      fc.property(fc.array(weight, { minLength: 2, maxLength: 5 }), (weights) => {
        const targets = weighted(...weights)
        const balancer = new WeightedBalancer()
        const total = weights.reduce((sum, each) => sum + each)
        const counts = new Map<string, number>()
        for (let picks = 1; picks <= 200; picks++) {
          const { name } = balancer.order(targets)[0]!
          counts.set(name, (counts.get(name) ?? 0) + 1)
          for (const each of targets) {
            const due = (picks * each.weight) / total
            assert.ok(Math.abs((counts.get(each.name) ?? 0) - due) < targets.length, `${each.name} after ${picks}`)
          }
        }
      }),
    )
  })

  test('names each target once, the others in the order in which they would be picked', () => {
    const targets = weighted(5, 1, 3)
    const balancer = new WeightedBalancer()
    assert.deepEqual(names(balancer.order(targets)), ['t0', 't2', 't1'])
    assert.deepEqual(names(balancer.order(targets)), ['t2', 't0', 't1'])
    for (let at = 0; at < 100; at++) assert.deepEqual(names(balancer.order(targets)).sort(), ['t0', 't1', 't2'])
  })

  test('keeps the shares of each set of targets, whatever other sets are balanced', () => {
    const [a, b, c] = weighted(1, 1, 1) as [
      ReturnType<typeof state>,
      ReturnType<typeof state>,
      ReturnType<typeof state>,
    ]
    const balancer = new WeightedBalancer()
    const first = shares(1000, () => {
      balancer.order([a, c])
      return balancer.order([a, b])[0]!
    })
    assert.deepEqual(first, { t0: 0.5, t1: 0.5 })
  })

  test('keeps a bounded number of sets', () => {
    const targets = weighted(...Array.from({ length: 12 }, () => 1))
    const balancer = new WeightedBalancer()
    for (let set = 1; set < 4096; set++) {
      const some = targets.filter((_, at) => set & (1 << at))
      assert.deepEqual(names(balancer.order(some)).sort(), names(some).sort())
    }
    assert.ok(balancer.sets > 0 && balancer.sets <= 1024, String(balancer.sets))
  })

  test('has no order for no target', () => assert.deepEqual(new WeightedBalancer().order([]), []))
})

describe('least-busy', () => {
  test('asks the target with the fewest exchanges by weight first', () => {
    const targets = weighted(1, 2, 4)
    busy(targets[0]!, 2)
    busy(targets[1]!, 3)
    busy(targets[2]!, 10)
    assert.deepEqual(names(leastBusyOrder(targets)), ['t1', 't0', 't2'])
    targets[0]!.end()
    assert.deepEqual(names(leastBusyOrder(targets)), ['t0', 't1', 't2'])
  })

  test('leaves equals in their order, and its argument as it is', () => {
    const targets = weighted(1, 1, 1)
    busy(targets[0]!, 1)
    assert.deepEqual(names(leastBusyOrder(targets)), ['t1', 't2', 't0'])
    assert.deepEqual(names(targets), ['t0', 't1', 't2'])
  })

  test('fills targets by their weights', () => {
    const targets = weighted(1, 2, 5)
    for (let at = 0; at < 800; at++) leastBusyOrder(targets)[0]!.begin()
    assert.deepEqual(
      targets.map(({ inFlight }) => inFlight),
      [100, 200, 500],
    )
  })
})

describe('fastest', () => {
  const timed = (...ms: (number | undefined)[]) =>
    ms.map((each, at) => {
      const target = state(`t${at}`)
      if (each !== undefined) target.sample(each)
      return target
    })

  test('asks the target with the lowest average first', () => {
    assert.deepEqual(names(fastestOrder(timed(300, 100, 200), never)), ['t1', 't2', 't0'])
  })

  test('asks targets without a sample before all, in their order', () => {
    assert.deepEqual(names(fastestOrder(timed(300, undefined, 0, undefined), never)), ['t1', 't3', 't2', 't0'])
  })

  test('probes one of the others with 2 % of the requests, each as often', () => {
    const targets = timed(100, 200, 300)
    const random = seeded(1)
    const share = shares(100_000, () => fastestOrder(targets, random)[0]!)
    assert.ok(Math.abs(share.t0! - 0.98) < 0.002, String(share.t0))
    assert.ok(Math.abs(share.t1! - 0.01) < 0.002, String(share.t1))
    assert.ok(Math.abs(share.t2! - 0.01) < 0.002, String(share.t2))
  })

  test('names each target once when it probes, too', () => {
    const targets = timed(100, 200, 300)
    const draws = [0.0199, 0.5]
    assert.deepEqual(
      names(fastestOrder(targets, () => draws.shift()!)),
      ['t2', 't0', 't1'],
      'the second of the two others',
    )
    assert.deepEqual(names(fastestOrder(targets, () => 0.02)), ['t0', 't1', 't2'])
  })

  test('draws nothing for one target', () => {
    assert.deepEqual(names(fastestOrder(timed(100), () => assert.fail())), ['t0'])
  })
})

describe('the time to first token', () => {
  test('is the average of samples of one moment', () => {
    const target = state('a')
    assert.deepEqual([target.firstTokenMs, target.samples], [undefined, 0])
    for (const ms of [100, 200, 600]) target.sample(ms)
    assert.deepEqual([target.firstTokenMs, target.samples], [300, 3])
  })

  test('is no less than an attempt had without one, until it lost to a later one', () => {
    const target = state('a')
    target.lose(200)
    assert.deepEqual([target.firstTokenMs, target.samples], [200, 1])
    target.lose(100)
    assert.deepEqual([target.firstTokenMs, target.samples], [200, 1])
    target.lose(400)
    assert.deepEqual([target.firstTokenMs, target.samples], [300, 2])
  })

  test('counts a sample half after a minute, and a quarter after two', () => {
    const clock = new ManualClock()
    const target = state('a', {}, clock)
    target.sample(100)
    clock.time += 60_000
    target.sample(400)
    assert.equal(target.firstTokenMs, (100 / 2 + 400) / 1.5)
    clock.time += 60_000
    target.sample(1000)
    assert.equal(target.firstTokenMs, (100 / 4 + 400 / 2 + 1000) / 1.75)
  })

  test('does not change while no sample comes, and is the new one after very long', () => {
    const clock = new ManualClock()
    const target = state('a', {}, clock)
    target.sample(100)
    clock.time += 1e9
    assert.equal(target.firstTokenMs, 100)
    target.sample(500)
    assert.equal(target.firstTokenMs, 500)
    assert.equal(target.samples, 2)
  })
})
