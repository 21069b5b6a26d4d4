import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ExpiryQueue } from '../../lib/quota/expiry-queue.js'
import { MemoryStore, memoryStore } from '../../lib/quota/memory-store.js'
import type { Claim, Window } from '../../lib/quota/store.js'

const hour = 3_600_000
const leaseMs = 30_000
const sliding: Window = { kind: 'sliding', ms: hour }
const none: Window = { kind: 'none' }

const claim = (window: Window, name: string, allowed: number, amount: number): Claim => ({
  ...{ key: 'user:ada', name, window, allowed, amount },
  countsAtOnce: name.startsWith('requests'),
})

/** A store with a clock that the test sets. */
function made() {
  let now = 100 * hour
  const store = new MemoryStore(() => now)
  const reserve = (id: string, ...claims: Claim[]) => store.reserve({ id, slot: 'a', leaseMs, claims })
  return {
    store,
    reserve,
    pass: (ms: number) => {
      now += ms
    },
    state: (name: string) => store.read('user:ada').find((each) => each.name === name),
  }
}

describe('windows of a store in memory', () => {
  const request = () => claim(sliding, 'requests:1h', 4, 1)

  test('slide: the last one counts by the share that is left of it', () => {
    const { reserve, pass } = made()
    for (const id of ['a', 'b', 'c', 'd']) assert.equal(reserve(id, request()).granted, true)
    assert.equal(reserve('e', request()).granted, false)
    pass(hour)
    assert.equal(reserve('e', request()).granted, false, 'all four still count')
    pass(hour / 4)
    assert.equal(reserve('e', request()).granted, true, 'three do, and there is room for one')
    assert.equal(reserve('f', request()).granted, false)
    pass(2 * hour)
    for (const id of ['g', 'h', 'i', 'j']) assert.equal(reserve(id, request()).granted, true)
  })

  test('of the calendar begin again, with what was overdrawn', () => {
    const start = 100 * hour
    const window: Window = { kind: 'calendar', starts: [start - hour, start, start + hour, start + 2 * hour] }
    const tokens = (amount: number) => claim(window, 'tokens:day@UTC', 100, amount)
    const { store, reserve, pass, state } = made()
    assert.equal(reserve('a', tokens(10)).granted, true)
    const { countsAtOnce: _, ...charge } = tokens(150)
    store.settle({ id: 'a', slot: 'a', charges: [{ ...charge, takenBackFrom: undefined }] })
    assert.deepEqual([state('tokens:day@UTC')?.current, reserve('b', tokens(1)).granted], [100, false])
    pass(hour)
    assert.equal(reserve('c', tokens(51)).granted, false)
    assert.equal(reserve('d', tokens(50)).granted, true)
  })

  test('of the calendar keep what a larger limit of the same name has allowed', () => {
    const start = 100 * hour
    const window: Window = { kind: 'calendar', starts: [start, start + hour, start + 2 * hour] }
    const { store, pass, state } = made()
    const settle = (id: string, allowed: number, amount: number) =>
      store.settle({
        id,
        slot: 'a',
        charges: [{ key: 'user:ada', name: 'tokens:day@UTC', window, allowed, amount, takenBackFrom: undefined }],
      })
    settle('a', 1000, 150)
    settle('b', 100, 30)
    assert.equal(state('tokens:day@UTC')?.current, 150)
    pass(hour)
    settle('c', 100, 1)
    assert.equal(state('tokens:day@UTC')?.current, 31)
  })

  test('are forgotten once no key needs them', () => {
    const { store, reserve, pass } = made()
    const other = (at: number) => ({ ...request(), key: `user:${at}` })
    for (let at = 0; at < 100; at++) reserve(`${at}`, other(at))
    assert.equal(store.size, 100)
    pass(3 * hour)
    for (let at = 0; at < 60; at++) reserve(`later ${at}`, request())
    assert.equal(store.size, 1)
  })
})

describe('leases of a store in memory', () => {
  const place = () => claim(none, 'concurrent', 2, 1)

  test('end by themselves, each at its own time', () => {
    const { reserve, pass, state } = made()
    reserve('a', place())
    pass(leaseMs / 2)
    reserve('b', place())
    assert.equal(reserve('c', place()).granted, false)
    pass(leaseMs / 2 - 1)
    assert.equal(reserve('c', place()).granted, false)
    pass(1)
    assert.equal(reserve('c', place()).granted, true)
    assert.equal(state('concurrent')?.held, 2)
    pass(leaseMs)
    assert.equal(state('concurrent')?.held, 0)
  })

  test('live on if they are renewed, also after their end', () => {
    const { store, reserve, pass, state } = made()
    const lease = { id: 'a', slot: 'a', key: 'user:ada', held: { concurrent: 1 } }
    reserve('a', place())
    for (let at = 0; at < 5; at++) {
      pass(leaseMs - 1)
      store.renew([lease], leaseMs)
      assert.equal(state('concurrent')?.held, 1)
    }
    pass(leaseMs)
    assert.equal(state('concurrent')?.held, 0)
    store.renew([lease], leaseMs)
    assert.equal(state('concurrent')?.held, 1)
  })

  test('hold all that was reserved once they are renewed, also if a later reservation began them again', () => {
    const { store, reserve, pass, state } = made()
    reserve('a', claim(none, 'concurrent', 10, 3))
    pass(leaseMs)
    reserve('a', claim(none, 'concurrent', 10, 2))
    assert.equal(state('concurrent')?.held, 2)
    const renew = () => store.renew([{ id: 'a', slot: 'a', key: 'user:ada', held: { concurrent: 5 } }], leaseMs)
    renew()
    assert.equal(state('concurrent')?.held, 5)
    renew()
    assert.equal(state('concurrent')?.held, 5)
    pass(leaseMs)
    assert.equal(state('concurrent')?.held, 0)
  })

  test('of several lengths end when the last call about them said', () => {
    const { store, pass, state } = made()
    const many = (id: string, ms: number) =>
      store.reserve({ id, slot: 'a', leaseMs: ms, claims: [claim(none, 'concurrent', 1000, 1)] })
    many('long', 1000)
    many('short', 10)
    many('long', 20)
    many('kept', 20)
    pass(10)
    assert.equal(state('concurrent')?.held, 3)
    store.renew([{ id: 'kept', slot: 'a', key: 'user:ada', held: {} }], 1000)
    pass(10)
    assert.equal(state('concurrent')?.held, 1)
    pass(989)
    assert.equal(state('concurrent')?.held, 1)
    pass(1)
    assert.equal(state('concurrent')?.held, 0)
  })

  test('cost a reservation no look at all others', (t) => {
    const { store, reserve, pass } = made()
    const many = (id: string) => reserve(id, claim(none, 'concurrent', 100_000, 1))
    const iterators = Object.getPrototypeOf(new Map().entries()) as IterableIterator<unknown>
    const looks = [t.mock.method(Map.prototype, 'get'), t.mock.method(iterators, 'next')]
    const looksOf = (run: () => void) => {
      for (const { mock } of looks) mock.resetCalls()
      run()
      return looks.reduce((sum, { mock }) => sum + mock.callCount(), 0)
    }
    const alone = looksOf(() => many('first'))
    for (let at = 0; at < 300; at++) many(`${at}`)
    assert.ok(looksOf(() => many('last')) <= alone + 9)
    pass(leaseMs - 1)
    store.renew(
      Array.from({ length: 300 }, (_, at) => ({ id: `${at}`, slot: 'a', key: 'user:ada', held: { concurrent: 1 } })),
      leaseMs,
    )
    assert.ok(looksOf(() => many('after')) <= alone + 9)
  })

  test('that were given back leave nothing behind, however many there were', (t) => {
    const { store, reserve, pass, state } = made()
    const place = claim(none, 'concurrent', 100, 1)
    const { countsAtOnce: _, ...charge } = { ...place, amount: 0 }
    for (let at = 0; at < 3000; at++) {
      assert.equal(reserve(`${at}`, place).granted, true)
      if (at > 50) {
        store.settle({ id: `${at - 50}`, slot: 'a', charges: [{ ...charge, takenBackFrom: undefined }] })
      }
    }
    assert.equal(state('concurrent')?.held, 51)
    pass(leaseMs)
    const taken = t.mock.method(ExpiryQueue.prototype, 'takeDue')
    assert.equal(state('concurrent')?.held, 0)
    assert.ok(taken.mock.callCount() < 200)
  })

  test('are not renewed, and nothing is reserved, after the settlement', () => {
    const { store, reserve, state } = made()
    reserve('a', place())
    const { countsAtOnce: _, ...charge } = { ...place(), amount: 0 }
    store.settle({ id: 'a', slot: 'a', charges: [{ ...charge, takenBackFrom: undefined }] })
    store.renew([{ id: 'a', slot: 'a', key: 'user:ada', held: { concurrent: 1 } }], leaseMs)
    assert.equal(reserve('a', place()).granted, false)
    assert.equal(state('concurrent')?.held, 0)
  })
})

test('a store in memory has no options', () => {
  const make = memoryStore as (options?: unknown) => unknown
  assert.throws(
    () => make({ maxKeys: 5 }),
    /^TypeError: memoryStore: there is no option maxKeys\. memoryStore takes none$/,
  )
  assert.throws(() => make(5), /memoryStore: options takes an object; got 5/)
  assert.ok(make())
})
