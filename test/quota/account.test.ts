import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { QuotaAccount } from '../../lib/quota/account.js'
import { CalendarCache } from '../../lib/quota/calendar.js'
import type { KeyState, QuotaStore } from '../../lib/quota/store.js'

const DAY_MS = 24 * 60 * 60_000

/** An account whose store has this one bucket, last counted so many days ago. */
async function statusOf(state: Partial<KeyState>, daysAgo: number) {
  const window = Math.floor(Date.now() / DAY_MS) * DAY_MS - daysAgo * DAY_MS
  const kept = { name: 'tokens:day@UTC', allowed: 100, current: 0, previous: 0, held: 0, window, ...state }
  const store: Pick<QuotaStore, 'read'> = { read: () => [kept] }
  const [limit] = await new QuotaAccount(store as QuotaStore, new CalendarCache()).status('key')
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
