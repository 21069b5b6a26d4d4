import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { BucketState, Window } from '../../lib/quota/store.js'
import { clearsIn, fitsIn, usedIn, windowsAt } from '../../lib/quota/usage.js'

const hour = 3_600_000
const sliding: Window = { kind: 'sliding', ms: hour }
const calendar: Window = { kind: 'calendar', starts: [0, 10_000, 30_000, 60_000] }
const none: Window = { kind: 'none' }
const state = (current: number, previous = 0, held = 0): BucketState => ({ current, previous, held, window: 1 })

describe('what counts now', () => {
  test('of a sliding window: the current one, and the share of the last one that has not slid out', () => {
    const used = [0, 0.25, 0.5, 1 - 1 / hour].map((share) => usedIn(state(10, 100), sliding, 5 * hour + share * hour))
    assert.deepEqual(used.slice(0, 3), [110, 85, 60])
    assert.ok(used[3]! > 10 && used[3]! < 10.001)
  })

  test('of a calendar window: the current one; of none: nothing', () => {
    assert.deepEqual([usedIn(state(10, 100), calendar, 500), usedIn(state(10, 100), none, 500)], [10, 0])
  })
})

describe('when an amount fits', () => {
  const now = 5 * hour + hour / 4
  for (const [name, given, window, allowed, amount, at, expected] of [
    ['at once', state(10), sliding, 100, 90, now, 0],
    ['never, if it is more than is allowed', state(0), sliding, 100, 101, now, Number.POSITIVE_INFINITY],
    ['when enough of the last window has slid out', state(0, 100), sliding, 100, 50, now, hour / 4],
    [
      'when enough of this window has slid out, in the next one',
      state(100),
      sliding,
      100,
      50,
      now,
      (3 / 4) * hour + hour / 2,
    ],
    ['when all of it has', state(100), sliding, 100, 100, now, (3 / 4) * hour + hour],
    ['with the next calendar window', state(100), calendar, 100, 1, 12_000, 18_000],
    ['at once, if only what is held is in its way', state(50, 0, 50), sliding, 100, 50, now, 0],
    ['at once, if nothing is counted in time', state(0, 0, 3), none, 3, 1, now, 0],
  ] as const) {
    test(name, () => assert.equal(fitsIn(given, window, allowed, amount, at), expected))
  }

  test('it fits then, and not noticeably before', () => {
    const counts = fc.integer({ min: 0, max: 5000 })
    fc.assert(
      fc.property(
        counts,
        counts,
        fc.integer({ min: 1, max: 3000 }),
        fc.nat(hour - 1),
        fc.nat(3000),
        (current, previous, amount, into, more) => {
          const now = 7 * hour + into
          const allowed = amount + more
          const given = state(current, previous)
          const wait = fitsIn(given, sliding, allowed, amount, now)
          const usedAfter = (ms: number) => {
            const at = now + ms
            const passed = Math.floor(at / hour) - 7
            const then = passed === 0 ? given : passed === 1 ? state(0, current) : state(0)
            return usedIn(then, sliding, at)
          }
          assert.ok(usedAfter(wait) + amount <= allowed + 1e-3, 'it fits')
          if (wait > 1) assert.ok(usedAfter(wait - 1) + amount > allowed - 1e-3 - 5000 / hour, 'and not before')
        },
      ),
    )
  })
})

test('when nothing counts any more', () => {
  const now = 5 * hour + hour / 4
  assert.deepEqual(
    [
      clearsIn(state(1, 1), sliding, now),
      clearsIn(state(0, 1), sliding, now),
      clearsIn(state(0), sliding, now),
      clearsIn(state(5), calendar, 12_000),
      clearsIn(state(5), none, now),
    ],
    [(3 / 4) * hour + hour, (3 / 4) * hour, 0, 18_000, 0],
  )
})

test('the windows around now', () => {
  assert.deepEqual(windowsAt(sliding, 5 * hour), { current: 5, previous: 4, next: 6 })
  assert.deepEqual(windowsAt(calendar, 10_000), { current: 10_000, previous: undefined, next: 30_000 })
  assert.deepEqual(windowsAt(calendar, 9_999), { current: 0, previous: undefined, next: 10_000 })
  assert.deepEqual(windowsAt(none, 5), { current: undefined, previous: undefined, next: undefined })
})
