import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { rendezvousOrder } from '../../lib/routing/rendezvous.js'
import { StickyTargets } from '../../lib/routing/sticky.js'
import { ManualClock } from '../support/manual-clock.js'
import { busy, names, shares, state, weighted } from '../support/targets.js'

const keys = Array.from({ length: 10_000 }, (_, at) => `user-${at}`)
const home = (key: string, targets: ReturnType<typeof weighted>) => rendezvousOrder(key, targets)[0]!

describe('rendezvous hashing', () => {
  for (const weights of [
    [1, 1],
    [1, 1, 1],
    [5, 1, 1],
    [0.9, 0.1],
    [1, 2, 3, 4],
  ]) {
    test(`gives keys to targets by the weights ${weights.join(', ')}`, () => {
      const targets = weighted(...weights)
      const share = shares(keys.length, (at) => home(keys[at]!, targets))
      const total = weights.reduce((sum, weight) => sum + weight)
      for (const [at, weight] of weights.entries()) {
        assert.ok(Math.abs(share[`t${at}`]! - weight / total) < 0.02, `t${at}: ${share[`t${at}`]}`)
      }
    })
  }

  test('is the same in each process, on each machine, and for each order of the targets', () => {
    const targets = weighted(1, 1, 1)
    const order = (key: string) => names(rendezvousOrder(key, targets)).join(' ')
    // The hashes are part of the behavior: several processes share the keys, and releases are rolled out one by one.
    assert.deepEqual(['', 'a', 'b', 'user-1', 'user-2', 'ключ'].map(order), [
      ...['t1 t2 t0', 't1 t2 t0', 't1 t0 t2'],
      ...['t0 t1 t2', 't0 t2 t1', 't0 t1 t2'],
    ])
    for (const key of keys.slice(0, 100)) {
      assert.deepEqual(names(rendezvousOrder(key, [...targets].reverse())), names(rendezvousOrder(key, targets)))
    }
  })

  test('moves only the keys of a target that leaves, to the others by their weights', () => {
    const targets = weighted(1, 1, 2)
    const left = targets.slice(1)
    const moved: string[] = []
    for (const key of keys) {
      const before = home(key, targets).name
      const after = home(key, left).name
      if (before === 't0') moved.push(after)
      else assert.equal(after, before, key)
    }
    const share = shares(moved.length, (at) => ({ name: moved[at]! }))
    assert.ok(Math.abs(share.t1! - 1 / 3) < 0.03, String(share.t1))
  })

  test('moves keys only to a target whose weight grows', () => {
    const before = weighted(1, 1, 1)
    const after = weighted(2, 1, 1)
    for (const key of keys) {
      const name = home(key, after).name
      if (name !== 't0') assert.equal(home(key, before).name, name, key)
    }
  })

  test('puts any subset in the order that it has among all', () => {
    const targets = weighted(1, 2, 3, 4, 5)
    fc.assert(
      fc.property(fc.string(), fc.subarray(targets), (key, some) => {
        const all = rendezvousOrder(key, targets).filter((each) => some.includes(each))
        assert.deepEqual(names(rendezvousOrder(key, some)), names(all))
      }),
    )
  })
})

describe('a sticky key', () => {
  function sticking({ ttlMs = 300_000, max = 10_000 } = {}) {
    const clock = new ManualClock()
    const sticky = new StickyTargets(clock, ttlMs, max)
    const targets = weighted(1, 1, 1)
    const [first, second, third] = rendezvousOrder('k', targets) as [Target, Target, Target]
    const order = (candidates = targets) => names(sticky.order('k', candidates))
    return { clock, sticky, targets, first, second, third, order, pass: (ms: number) => (clock.time += ms) }
  }
  type Target = ReturnType<typeof state>

  test('stays where the hash says, and nothing is remembered of it', () => {
    const { sticky, first, second, third, order } = sticking()
    for (let at = 0; at < 10; at++) {
      assert.deepEqual(order(), names([first, second, third]))
      sticky.served('k', first.name, true)
    }
    assert.equal(sticky.movedKeys, 0)
  })

  test('stays with the target that took it over, until that has not been used for the time', () => {
    const { sticky, first, second, third, order, pass } = sticking({ ttlMs: 1000 })
    assert.deepEqual(order([second, third]), names([second, third]))
    sticky.served('k', second.name, false)
    for (let at = 0; at < 5; at++) {
      pass(999)
      assert.deepEqual(order(), names([second, first, third]))
    }
    pass(1000)
    assert.deepEqual(order(), names([first, second, third]))
    assert.equal(sticky.movedKeys, 0)
  })

  test('goes on if the target that took it over cannot serve, and comes back if its own serves it', () => {
    const { sticky, first, second, third, order } = sticking()
    sticky.served('k', second.name, false)
    assert.deepEqual(order([first, third]), names([first, third]))
    sticky.served('k', third.name, false)
    assert.deepEqual(order(), names([third, first, second]))
    sticky.served('k', first.name, true)
    assert.deepEqual(order(), names([first, second, third]))
    assert.equal(sticky.movedKeys, 0)
  })

  test('does not move the keys of others', () => {
    const { sticky, targets, second } = sticking()
    sticky.served('k', second.name, false)
    for (const key of keys.slice(0, 100)) {
      assert.deepEqual(names(sticky.order(key, targets)), names(rendezvousOrder(key, targets)))
    }
  })

  test('is remembered among the most recently used ones only', () => {
    const { sticky, second, order } = sticking({ max: 3 })
    for (const key of ['k', 'l', 'm']) sticky.served(key, second.name, false)
    assert.equal(order()[0], second.name, 'which is a use')
    for (const key of ['n', 'o']) sticky.served(key, second.name, false)
    assert.equal(sticky.movedKeys, 3)
    assert.equal(order()[0], second.name)
    for (const key of ['p', 'q', 'r']) sticky.served(key, second.name, false)
    assert.notEqual(order()[0], second.name)
    assert.equal(sticky.movedKeys, 3)
  })

  test('that expired makes room before the next one comes', () => {
    const { sticky, second, pass } = sticking({ ttlMs: 1000 })
    for (const key of keys.slice(0, 500)) sticky.served(key, second.name, false)
    assert.equal(sticky.movedKeys, 500)
    pass(1000)
    sticky.served('k', second.name, false)
    assert.equal(sticky.movedKeys, 1)
  })

  test('is one of 10,000 at most', () => {
    const { sticky } = sticking()
    for (let at = 0; at < 10_050; at++) sticky.served(`k${at}`, 't0', false)
    assert.equal(sticky.movedKeys, 10_000)
  })
})

describe('the load of a target', () => {
  /** Requests of one key that are answered where they go, and do not end. */
  function loads(requests: number, ...weights: number[]): number[] {
    const sticky = new StickyTargets(new ManualClock(), 300_000)
    const targets = weighted(...weights)
    for (let at = 0; at < requests; at++) sticky.order('hot', targets)[0]!.begin()
    return targets.map(({ inFlight }) => inFlight)
  }

  for (const weights of [
    [1, 1, 1],
    [1, 1],
    [3, 1, 1],
  ]) {
    test(`by one hot key is a quarter above its share at most: ${weights.join(', ')}`, () => {
      const total = weights.reduce((sum, weight) => sum + weight)
      const counts = loads(1000, ...weights)
      assert.equal(
        counts.reduce((sum, count) => sum + count),
        1000,
      )
      for (const [at, count] of counts.entries()) {
        assert.ok(count <= Math.ceil((1.25 * 1000 * weights[at]!) / total), counts.join(', '))
      }
      assert.ok(
        counts.some((count, at) => count === Math.ceil((1.25 * 1000 * weights[at]!) / total)),
        `one is used up to its bound: ${counts.join(', ')}`,
      )
    })
  }

  test('does not keep a key from its target while that has its share', () => {
    const targets = weighted(1, 1)
    const sticky = new StickyTargets(new ManualClock(), 300_000)
    const own = home('k', targets)
    const other = targets.find((each) => each !== own)!
    busy(own, 10)
    busy(other, 7)
    // ceil(1.25 * 18 / 2) = 12
    assert.equal(sticky.order('k', targets)[0], own)
    own.begin()
    assert.equal(sticky.order('k', targets)[0], own)
    own.begin()
    // ceil(1.25 * 20 / 2) = 13
    assert.equal(sticky.order('k', targets)[0], own)
    own.begin()
    // ceil(1.25 * 21 / 2) = 14
    own.begin()
    assert.deepEqual(names(sticky.order('k', targets)), names([other, own]), 'and it comes last, not never')
  })

  test('also moves a key on that was taken over', () => {
    const targets = weighted(1, 1, 1)
    const sticky = new StickyTargets(new ManualClock(), 300_000)
    const [first, second, third] = rendezvousOrder('k', targets) as [Target, Target, Target]
    type Target = ReturnType<typeof state>
    sticky.served('k', second.name, false)
    busy(second, 3)
    assert.deepEqual(names(sticky.order('k', targets)), names([first, third, second]))
  })

  test('leaves at least one target below its bound, whatever the loads', () => {
    const load = fc.record({ weight: fc.double({ min: 0.01, max: 100, noNaN: true }), inFlight: fc.nat(20) })
    fc.assert(
      fc.property(fc.array(load, { minLength: 1, maxLength: 6 }), fc.string(), (loads, key) => {
        const targets = loads.map(({ weight, inFlight }, at) => busy(state(`t${at}`, { weight }), inFlight))
        const total = loads.reduce((sum, { inFlight }) => sum + inFlight, 1)
        const weights = loads.reduce((sum, { weight }) => sum + weight, 0)
        const [first] = new StickyTargets(new ManualClock(), 1000).order(key, targets)
        assert.ok(first!.inFlight + 1 <= Math.ceil((1.25 * total * first!.weight) / weights))
      }),
    )
  })
})

describe('the target of a response', () => {
  test('is remembered until it has not been asked for during the time', () => {
    const clock = new ManualClock()
    const sticky = new StickyTargets(clock, 1000)
    assert.equal(sticky.targetOf('r1'), undefined)
    sticky.rememberResponse('r1', 'a')
    for (let at = 0; at < 3; at++) {
      clock.time += 999
      assert.equal(sticky.targetOf('r1'), 'a')
    }
    assert.equal(sticky.targetOf('r2'), undefined)
    clock.time += 1000
    assert.equal(sticky.targetOf('r1'), undefined)
    assert.equal(sticky.responses, 0)
  })

  test('is one of a bounded number', () => {
    const sticky = new StickyTargets(new ManualClock(), 1000, 2)
    for (const id of ['r1', 'r2', 'r3']) sticky.rememberResponse(id, 'a')
    assert.deepEqual(
      ['r1', 'r2', 'r3'].map((id) => sticky.targetOf(id)),
      [undefined, 'a', 'a'],
    )
    assert.equal(sticky.responses, 2)
  })
})
