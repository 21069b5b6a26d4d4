import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as nextRound } from 'node:timers/promises'
import { GuardedStore } from '../../lib/quota/guarded-store.js'
import { MemoryStore } from '../../lib/quota/memory-store.js'
import type { QuotaStore, Reservation, Settlement } from '../../lib/quota/store.js'

const claim = { key: 'k', name: 'requests:1m', window: { kind: 'sliding', ms: 60_000 }, allowed: 1e6 } as const
const reservation = (id: string): Reservation => ({
  ...{ id, slot: '', leaseMs: 1000 },
  claims: [{ ...claim, amount: 1, countsAtOnce: true }],
})
const settlement = (id: string): Settlement => ({
  ...{ id, slot: '' },
  charges: [{ ...claim, amount: 0, takenBackFrom: undefined }],
})

/** A store somewhere else that can be out of reach: it then keeps calls for ever, as clients do. */
function remote() {
  const memory = new MemoryStore()
  const store = { calls: 0, isAway: false }
  const call = <T>(run: () => T): Promise<T> => {
    store.calls++
    return store.isAway ? new Promise<T>(() => {}) : Promise.resolve(run())
  }
  const quotaStore: QuotaStore = {
    reserve: (reservation) => call(() => memory.reserve(reservation)),
    settle: (settlement) => call(() => memory.settle(settlement)),
    renew: (leases, ms) => call(() => memory.renew(leases, ms)),
    read: (key) => memory.read(key),
    reset: (key) => memory.reset(key),
  }
  const clock = { now: 0 }
  const guarded = new GuardedStore(quotaStore, {
    ...{ whenFails: 'local', instances: 1, timeoutMs: 20, onFailure: () => {} },
    now: () => clock.now,
  })
  return { store, guarded, clock }
}

describe('a store that keeps calls for ever', () => {
  test('gets one call at a time once it has failed, and only that request waits', async () => {
    const { store, guarded, clock } = remote()
    store.isAway = true
    assert.equal((await guarded.reserve(reservation('first')))?.at, 'local')
    store.calls = 0
    for (let second = 1; second <= 5; second++) {
      clock.now += 1000
      const probe = guarded.reserve(reservation(`probe ${second}`))
      for (let at = 0; at < 100; at++) {
        const answer = guarded.reserve(reservation(`${second} ${at}`))
        assert.ok(!(answer instanceof Promise), 'the others do not wait')
        assert.equal(answer?.at, 'local')
        assert.equal(guarded.settle(settlement(`${second} ${at}`), undefined), undefined)
      }
      await guarded.renew([], [], 1000)
      assert.equal(store.calls, second)
      assert.equal((await probe)?.at, 'local')
    }
    assert.ok(guarded.isDown)
  })

  for (const [what, ask] of [
    ['a reservation', (guarded: GuardedStore) => guarded.reserve(reservation('back'))],
    ['a settlement', (guarded: GuardedStore) => guarded.settle(settlement('back'), undefined)],
    ['a renewal', (guarded: GuardedStore) => guarded.renew([], [], 1000)],
  ] as const) {
    test(`is used again once it has answered ${what}`, async () => {
      const { store, guarded, clock } = remote()
      store.isAway = true
      await guarded.settle(settlement('missed'), undefined)
      store.isAway = false
      clock.now += 1000
      await ask(guarded)
      await nextRound()
      assert.equal(guarded.isDown, false)
      assert.equal((await guarded.reserve(reservation('next')))?.at, 'store')
    })
  }
})

describe('many leases', () => {
  const leases = Array.from({ length: 1050 }, (_, at) => ({ id: `${at}`, slot: '', key: 'k', held: { concurrent: 1 } }))

  /** A store that answers each renewal when it is told to. */
  function asked() {
    const calls: { readonly count: number; readonly answer: () => void }[] = []
    const memory = new MemoryStore()
    const store: QuotaStore = {
      reserve: (reservation) => memory.reserve(reservation),
      settle: () => Promise.reject(new Error('away')),
      renew: ({ length: count }) => new Promise<void>((answer) => calls.push({ count, answer })),
      read: () => [],
      reset: () => {},
    }
    const clock = { now: 0 }
    const guarded = new GuardedStore(store, {
      ...{ whenFails: 'local', instances: 1, timeoutMs: 60_000, onFailure: () => {} },
      now: () => clock.now,
    })
    return { calls, guarded, clock }
  }

  test('are renewed in parts, each of which has the time of one call', async () => {
    const { calls, guarded } = asked()
    const renewed = guarded.renew(leases, [], 1000)
    assert.deepEqual(
      calls.map(({ count }) => count),
      [200, 200, 200, 200, 200, 50],
    )
    for (const { answer } of calls) answer()
    await renewed
    assert.equal(guarded.failures, 0)
  })

  test('are one call until it is known that the store is back', async () => {
    const { calls, guarded, clock } = asked()
    await guarded.settle(settlement('missed'), undefined)
    clock.now += 1000
    const renewed = guarded.renew(leases, [], 1000)
    assert.equal(calls.length, 1)
    calls[0]!.answer()
    await nextRound()
    assert.equal(calls.length, 6)
    for (const { answer } of calls) answer()
    await renewed
  })
})
