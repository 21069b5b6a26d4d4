import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { QuotaAccount } from '../../lib/quota/account.js'
import { CalendarCache } from '../../lib/quota/calendar.js'
import { MemoryStore } from '../../lib/quota/memory-store.js'
import type { KeyState, QuotaStore } from '../../lib/quota/store.js'
import { quota } from '../../lib/quota.js'

const DAY_MS = 24 * 60 * 60_000

/** An account whose store has this one bucket, last counted so many days ago. */
async function statusOf(state: Partial<KeyState>, daysAgo: number) {
  const window = Math.floor(Date.now() / DAY_MS) * DAY_MS - daysAgo * DAY_MS
  const kept = { name: 'tokens:day@UTC', allowed: 100, current: 0, previous: 0, held: 0, window, ...state }
  const store: Pick<QuotaStore, 'read'> = { read: () => [kept] }
  const [limit] = await new QuotaAccount(store as QuotaStore, new CalendarCache(), 1000).status('key')
  return limit?.used
}

describe('the status of a limit by the day', () => {
  test('is what was used today', async () => {
    assert.equal(await statusOf({ current: 40 }, 0), 40)
    assert.equal(await statusOf({ current: 40 }, 1), 0)
  })

  test('has what yesterday exceeded, and nothing of the days before', async () => {
    assert.equal(await statusOf({ current: 100, carried: 30 }, 1), 30)
    assert.equal(await statusOf({ current: 100, carried: 30 }, 2), 0)
  })
})

describe('a store that keeps its calls for ever, as a client does that has lost its server', () => {
  const never = () => new Promise<never>(() => {})
  const memory = new MemoryStore()
  const store: QuotaStore = {
    reserve: (reservation) => memory.reserve(reservation),
    settle: never,
    renew: never,
    read: never,
    reset: never,
  }
  const limits = quota({ store, limits: [], storeTimeoutMs: 10 })
  const noAnswer = { message: 'The store gave no answer in 10 ms' }

  test('does not keep an account page waiting', async () => {
    await assert.rejects(limits.status('key'), noAnswer)
    await assert.rejects(limits.reset('key'), noAnswer)
    await assert.rejects(limits.add('key', { tokens: 1 }), noAnswer)
    const read = () => [{ name: 'tokens:1d', allowed: 5, current: 1, previous: 0, held: 0, window: 1 }]
    await assert.rejects(
      quota({ store: { ...store, read }, limits: [], storeTimeoutMs: 10 }).add('key', { tokens: 1 }),
      noAnswer,
    )
  })
})
