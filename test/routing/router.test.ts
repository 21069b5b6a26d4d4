import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { HookedExchange } from '../../lib/api/hooks.js'
import type { BalanceFunction } from '../../lib/api/targets.js'
import { type AttemptFailure, judge } from '../../lib/routing/failure.js'
import { rendezvousOrder } from '../../lib/routing/rendezvous.js'
import type { RoutedRequest } from '../../lib/routing/routed-request.js'
import { type Route, Router, type RouterOptions } from '../../lib/routing/router.js'
import type { RouterTarget } from '../../lib/routing/target-state.js'
import { ManualClock } from '../support/manual-clock.js'
import { busy, exchange, names, request, shares, target } from '../support/targets.js'

function routing(targets: readonly RouterTarget[], options: Partial<RouterOptions> = {}) {
  const clock = new ManualClock()
  const reports: unknown[] = []
  const reported: HookedExchange[] = []
  const router = new Router(
    targets,
    { balance: 'weighted', sticky: undefined, whenAllCooling: 'try', ...options },
    { now: () => clock.now(), random: () => 0.5, report: (error, of) => void [reports.push(error), reported.push(of)] },
  )
  const all = [...router.states.values()]
  const state = (name: string) => router.states.get(name)!
  const route = (change: Partial<RoutedRequest> = {}, previous?: string) => router.order(all, request(change), previous)
  return {
    ...{ router, clock, reports, reported, all, state, route },
    /** The names of the targets that are asked, or why none is. */
    order(change: Partial<RoutedRequest> = {}, previous?: string) {
      const answer = route(change, previous)
      return 'order' in answer ? names(answer.order) : answer
    },
    fail(name: string, failure: AttemptFailure = { kind: 'unreachable' }) {
      state(name).fail(judge(failure), failure)
    },
  }
}

const two = [target('a'), target('b')]
const three = [target('a'), target('b'), target('c')]

describe('the targets of a request', () => {
  test('take turns by weight', () => {
    const { order } = routing([target('a', { weight: 3 }), target('b')])
    const share = shares(1000, () => ({ name: (order() as string[])[0]! }))
    assert.deepEqual(share, { a: 0.75, b: 0.25 })
  })

  test('come by priority first, the lowest number before', () => {
    const targets = [target('c', { priority: 10 }), target('a', { priority: 2 }), target('b', { priority: 2 })]
    const { order } = routing(targets)
    assert.deepEqual(
      [order(), order()],
      [
        ['a', 'b', 'c'],
        ['b', 'a', 'c'],
      ],
    )
  })

  test('are only those that are eligible', () => {
    const { router, state } = routing(three)
    const route = router.order([state('b')], request())
    assert.deepEqual('order' in route && names(route.order), ['b'])
    assert.deepEqual(router.order([], request()), { refused: 'none', retryAfterMs: undefined })
  })

  test('are not the cooling ones, until they are warm again', () => {
    const { order, fail, clock } = routing([target('a', { priority: 0 }), target('b', { priority: 1 })])
    fail('a')
    assert.deepEqual(order(), ['b'])
    clock.time += 5000
    assert.deepEqual(order(), ['a', 'b'])
  })

  test('are not the full ones, until an exchange ends', () => {
    const { order, state } = routing([target('a', { maxConcurrent: 2 }), target('b', { priority: 1 })])
    busy(state('a'), 1)
    assert.deepEqual(order(), ['a', 'b'])
    busy(state('a'), 1)
    assert.deepEqual(order(), ['b'])
    state('a').end()
    assert.deepEqual(order(), ['a', 'b'])
  })

  test('are asked by their load with least-busy, equals by weight', () => {
    const { order, state } = routing(three, { balance: 'least-busy' })
    busy(state('a'), 1)
    busy(state('b'), 2)
    assert.deepEqual(order(), ['c', 'a', 'b'])
    for (const name of ['c', 'c']) busy(state(name), 1)
    busy(state('a'), 1)
    assert.deepEqual(
      shares(300, () => ({ name: (order() as string[])[0]! })),
      { a: 1 / 3, b: 1 / 3, c: 1 / 3 },
    )
  })

  test('are asked by their speed with fastest, those without a sample by their load', () => {
    const { order, state } = routing(three, { balance: 'fastest' })
    busy(state('a'), 2)
    busy(state('b'), 1)
    assert.deepEqual(order(), ['c', 'b', 'a'])
    state('c').sample(500)
    state('a').sample(100)
    assert.deepEqual(order(), ['b', 'a', 'c'])
    state('b').sample(200)
    assert.deepEqual(order(), ['a', 'b', 'c'])
  })
})

describe('if all targets cool', () => {
  for (const whenAllCooling of ['try', 'refuse'] as const) {
    test(`${whenAllCooling} ${whenAllCooling === 'try' ? 'asks the one that cools least long' : 'asks none'}`, () => {
      const { router, order } = routing([...two, target('c', { priority: -1 })], { whenAllCooling })
      router.cool('a', 3000)
      router.cool('b', 2000)
      router.cool('c', 4000)
      const expected = whenAllCooling === 'try' ? ['b', 'a', 'c'] : { refused: 'cooling', retryAfterMs: 2000 }
      assert.deepEqual(order(), expected)
    })
  }

  test('no full one is asked', () => {
    const { router, state, order } = routing([target('a', { maxConcurrent: 1 }), target('b', { maxConcurrent: 1 })])
    busy(state('a'), 1)
    router.cool('a', 1000)
    router.cool('b', 2000)
    assert.deepEqual(order(), ['b'])
    busy(state('b'), 1)
    assert.deepEqual(order(), { refused: 'cooling', retryAfterMs: 1000 })
  })
})

describe('if no target has room', () => {
  test('none is asked', () => {
    const { state, order } = routing([target('a', { maxConcurrent: 1 })])
    busy(state('a'), 1)
    assert.deepEqual(order(), { refused: 'full', retryAfterMs: undefined })
  })

  test('a cooling one is asked, or the answer says when it can be', () => {
    for (const whenAllCooling of ['try', 'refuse'] as const) {
      const { router, state, order } = routing([target('a', { maxConcurrent: 1 }), target('b')], { whenAllCooling })
      busy(state('a'), 1)
      router.cool('b', 1000)
      assert.deepEqual(order(), whenAllCooling === 'try' ? ['b'] : { refused: 'full', retryAfterMs: 1000 })
    }
  })
})

describe('what is left of a route', () => {
  test('is what was not tried, without what cools or is full by then', () => {
    const { router, route, state, fail } = routing([...three, target('d', { maxConcurrent: 1 })])
    const made = route() as Route
    const left = (...tried: string[]) => names(router.remaining(made, tried.map(state)))
    assert.deepEqual(left(), ['a', 'b', 'c', 'd'])
    assert.deepEqual(left('a'), ['b', 'c', 'd'])
    fail('b')
    busy(state('d'), 1)
    assert.deepEqual(left('a'), ['c'])
    assert.deepEqual(left('a', 'c'), ['b'], 'better than none')
    assert.deepEqual(left('a', 'b', 'c', 'd'), [])
  })

  test('is what cooled when the route was made, if nothing else is left', () => {
    const { router, route, state, fail } = routing(two)
    fail('b')
    const made = route() as Route
    assert.deepEqual(names(made.order), ['a'])
    assert.deepEqual(names(router.remaining(made, [state('a')])), ['b'])
  })

  test('is nothing that cools with whenAllCooling: refuse', () => {
    const { router, route, state, fail } = routing(two, { whenAllCooling: 'refuse' })
    const made = route() as Route
    fail('b')
    assert.deepEqual(router.remaining(made, [state('a')]), [])
  })
})

describe('a key', () => {
  const sticky = { ttlMs: 1000 }
  const keyed = { stickyKey: 'k' }
  const ranked = (targets: readonly RouterTarget[]) => names(rendezvousOrder('k', targets))
  const [first, second] = ranked(three) as [string, string, string]

  test('goes to one target, whatever the balance', () => {
    for (const balance of ['weighted', 'least-busy', 'fastest'] as const) {
      const { order } = routing(three, { sticky, balance })
      for (let at = 0; at < 5; at++) assert.deepEqual(order(keyed), ranked(three))
    }
  })

  test('is ignored if sticky is off', () => {
    const { order } = routing(two)
    assert.notDeepEqual(order(keyed), order(keyed))
  })

  test('stays with the target that answered while its own cooled, and returns after the time', () => {
    const { router, route, fail, state, clock } = routing(three, { sticky })
    fail(first)
    const away = route(keyed) as Route
    assert.deepEqual([away.order[0]!.name, away.home], [second, first])
    router.served(away, state(second))
    state(first).cooling.warm()
    const kept = route(keyed) as Route
    assert.equal(kept.order[0]!.name, second)
    router.served(kept, state(second))
    clock.time += 1000
    const back = route(keyed) as Route
    assert.equal(back.order[0]!.name, first)
    router.served(back, state(first))
    assert.equal((route(keyed) as Route).order[0]!.name, first)
  })

  test('goes back at once if its own target answers', () => {
    const { router, route, fail, state } = routing(three, { sticky })
    fail(first)
    const away = route(keyed) as Route
    router.served(away, state(second))
    router.served(away, state(first))
    state(first).cooling.warm()
    assert.equal((route(keyed) as Route).order[0]!.name, first)
  })

  test('leaves its priority only if no target of that can serve, and comes back', () => {
    const { router, route, fail, state } = routing([target('a'), target('b', { priority: 1 })], { sticky })
    fail('a')
    const away = route(keyed) as Route
    assert.deepEqual([names(away.order), away.home], [['b'], 'a'])
    router.served(away, state('b'))
    state('a').cooling.warm()
    assert.deepEqual(names((route(keyed) as Route).order), ['a', 'b'])
  })

  test('moves on if its target has more load than its share', () => {
    const { order, state } = routing(three, { sticky })
    busy(state(first), 5)
    assert.equal((order(keyed) as string[])[0], second)
  })

  test('does not bring back what the app leaves out', () => {
    const { order } = routing(three, {
      sticky,
      balance: (candidates) => candidates.filter(({ name }) => name !== first),
    })
    assert.deepEqual(
      order(keyed),
      ranked(three).filter((name) => name !== first),
    )
  })
})

describe('a request that refers to a response', () => {
  for (const sticky of [undefined, { ttlMs: 300_000 }]) {
    test(`goes to the target that made it, ${sticky ? 'with' : 'without'} sticky`, () => {
      const { router, order, state, clock } = routing([target('a'), target('b', { priority: 1 })], { sticky })
      router.rememberResponse('r1', state('b'))
      assert.deepEqual(order({ stickyKey: 'k' }, 'r1'), ['b', 'a'])
      assert.deepEqual(order({ stickyKey: 'k' }, 'r2'), ['a', 'b'])
      clock.time += 300_000
      assert.deepEqual(order({ stickyKey: 'k' }, 'r1'), ['a', 'b'])
    })
  }

  test('goes there even if that cools: no other may know the response', () => {
    for (const whenAllCooling of ['try', 'refuse'] as const) {
      const { router, order, state, fail } = routing(two, { whenAllCooling })
      router.rememberResponse('r1', state('b'))
      fail('b')
      assert.deepEqual(order({}, 'r1'), ['b', 'a'])
    }
  })

  test('goes elsewhere if that is full, or not eligible', () => {
    const { router, order, state } = routing([target('a'), target('b', { maxConcurrent: 1 })])
    router.rememberResponse('r1', state('b'))
    const only = router.order([state('a')], request(), 'r1')
    assert.deepEqual('order' in only && names(only.order), ['a'])
    busy(state('b'), 1)
    assert.deepEqual(order({}, 'r1'), ['a'])
  })
})

describe("the app's balance function", () => {
  test('gets the candidates of one priority, the exchange, and the key of the request', () => {
    const seen: unknown[] = []
    const balance: BalanceFunction = (candidates, asking, stickyKey) => {
      assert.equal(asking, exchange)
      seen.push([candidates, stickyKey])
      return candidates
    }
    const { order, state, fail } = routing([...three, target('d', { priority: 1, weight: 2 })], { balance })
    state('a').sample(120)
    busy(state('a'), 2)
    fail('c')
    assert.deepEqual(order({ stickyKey: 'k' }), ['a', 'b', 'd'])
    assert.deepEqual(seen, [
      [
        [
          { name: 'a', weight: 1, priority: 0, inFlight: 2, firstTokenMs: 120 },
          { name: 'b', weight: 1, priority: 0, inFlight: 0, firstTokenMs: undefined },
        ],
        'k',
      ],
      [[{ name: 'd', weight: 2, priority: 1, inFlight: 0, firstTokenMs: undefined }], 'k'],
    ])
  })

  test('may answer with names or candidates, and leave some out', () => {
    const { order, reports } = routing(three, { balance: (candidates) => ['c', candidates[0]!] })
    assert.deepEqual(order(), ['c', 'a'])
    assert.deepEqual(reports, [])
  })

  test('may leave all out', () => {
    const { order, reports } = routing(three, { balance: () => [] })
    assert.deepEqual(order(), { refused: 'none', retryAfterMs: undefined })
    assert.deepEqual(reports, [])
  })

  const boom = new Error('boom')
  const bad: [what: string, balance: () => unknown, message: RegExp][] = [
    ['throws', () => assert.fail(boom), /boom/],
    ['returns nothing', () => undefined, /list of candidates, or of their names; got undefined/],
    ['returns null', () => null, /got null/],
    ['returns one name', () => 'b', /got 'b'/],
    ['returns an object', () => ({ name: 'b' }), /got \{/],
    ['returns a promise', async () => ['b'], /got a promise/],
    ['returns a promise that rejects', () => Promise.reject(boom), /got a promise/],
    ['names an unknown target', () => ['b', 'x'], /got 'x', which is none of them/],
    ['names no target', () => [undefined], /got undefined, which is none of them/],
    ['returns a candidate without a name', () => [{}], /got undefined, which is none of them/],
    ['names a target twice', () => ['b', 'b'], /got 'b' twice/],
    ['names what is inherited', () => ['constructor'], /got 'constructor', which is none of them/],
    [
      'returns a candidate that throws',
      () => [
        {
          get name() {
            throw boom
          },
        },
      ],
      /boom/,
    ],
  ]
  for (const [what, balance, message] of bad) {
    test(`costs no request if it ${what}: that is reported, and the weights decide`, async () => {
      const { order, reports, reported } = routing([target('a', { weight: 3 }), target('b')], {
        balance: balance as BalanceFunction,
      })
      const share = shares(100, () => ({ name: (order() as string[])[0]! }))
      assert.deepEqual(share, { a: 0.75, b: 0.25 })
      assert.equal(reports.length, 100)
      assert.match(String(reports[0]), message)
      assert.equal(reported[0], exchange)
      // A rejection that nobody handles would end the process.
      await setImmediate()
    })
  }

  test('costs no request if nobody listens to what is wrong with it', () => {
    const router = new Router(
      two,
      { balance: () => assert.fail(boom), sticky: undefined, whenAllCooling: 'try' },
      { now: () => 0, random: () => 0 },
    )
    const route = router.order([...router.states.values()], request())
    assert.ok('order' in route && route.order.length === 2)
  })
})

describe('an operator', () => {
  test('cools a target and warms it', () => {
    const { router, order } = routing([target('a'), target('b', { priority: 1 })])
    router.cool('a', 60_000)
    assert.deepEqual(order(), ['b'])
    router.warm('a')
    assert.deepEqual(order(), ['a', 'b'])
    router.warm('a')
    assert.deepEqual(order(), ['a', 'b'])
  })

  test('hears which targets there are if there is none of that name', () => {
    const { router } = routing(two)
    for (const name of ['x', '', 'constructor', undefined, {}] as string[]) {
      assert.throws(() => router.cool(name, 1000), {
        name: 'TypeError',
        message: /^ai\.cool\(\) takes the name of a target \(a, b\); got /,
      })
      assert.throws(() => router.warm(name), {
        name: 'TypeError',
        message: /^ai\.warm\(\) takes the name of a target \(a, b\); got /,
      })
    }
  })

  test('hears which times there are', () => {
    const { router, order } = routing(two)
    for (const ms of [0, -1, Number.NaN, Infinity]) {
      assert.throws(() => router.cool('a', ms), { name: 'RangeError', message: new RegExp(`got ${ms}$`) })
    }
    for (const ms of ['5', undefined, null, 5n] as unknown as number[]) {
      assert.throws(() => router.cool('a', ms), {
        name: 'TypeError',
        message: /ai\.cool\(\) takes a time in milliseconds/,
      })
    }
    assert.equal((order() as string[]).length, 2)
  })

  test('sees the state of each target', () => {
    const { router, state, fail, clock } = routing(two)
    busy(state('a'), 3).end()
    state('a').sample(100)
    state('a').sample(200)
    state('a').succeed()
    fail('b', { kind: 'status', status: 429, retryAfterMs: 2500.5 })
    fail('b', { kind: 'status', status: 400 })
    fail('a', { kind: 'unprepared' })
    clock.time += 500
    assert.deepEqual(router.stats(1_000_000), [
      {
        name: 'a',
        inFlight: 2,
        coolingUntil: undefined,
        coolingBecause: undefined,
        attempts: 3,
        failures: 0,
        firstTokenMs: 150,
        samples: 2,
      },
      {
        name: 'b',
        inFlight: 0,
        coolingUntil: 1_002_001,
        coolingBecause: '429',
        attempts: 0,
        failures: 1,
        firstTokenMs: undefined,
        samples: 0,
      },
    ])
  })
})
