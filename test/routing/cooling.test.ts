import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Cooling } from '../../lib/routing/cooling.js'
import { type AttemptFailure, judge } from '../../lib/routing/failure.js'
import { ManualClock } from '../support/manual-clock.js'

const refused: AttemptFailure = { kind: 'unreachable' }
const status = (code: number, retryAfterMs?: number): AttemptFailure => ({ kind: 'status', status: code, retryAfterMs })

function cooling() {
  const clock = new ManualClock()
  const cooling = new Cooling(clock)
  return {
    cooling,
    pass: (ms: number) => (clock.time += ms),
    /** Fails so many times, and says how long it then cools. */
    failing(failure: AttemptFailure, times = 1): number {
      for (let at = 0; at < times; at++) cooling.report(judge(failure), failure)
      return cooling.remainingMs
    },
    succeeding(times = 1) {
      for (let at = 0; at < times; at++) cooling.succeed()
    },
  }
}

describe('a target', () => {
  test('does not cool at first', () => {
    const { cooling: cool } = cooling()
    assert.deepEqual([cool.isCooling, cool.remainingMs, cool.because], [false, 0, undefined])
  })

  for (const code of [400, 404, 409, 413, 422, 501]) {
    test(`does not cool at ${code}`, () => assert.equal(cooling().failing(status(code), 100), 0))
  }

  for (const [kind, because] of [
    ['unreachable', 'upstream_unreachable'],
    ['reset', 'upstream_reset'],
  ] as const) {
    test(`cools for 5 s at once if it is ${kind}`, () => {
      const { cooling: cool, failing, pass } = cooling()
      assert.equal(failing({ kind }), 5000)
      assert.deepEqual([cool.isCooling, cool.because], [true, because])
      pass(4999)
      assert.deepEqual([cool.isCooling, cool.remainingMs], [true, 1])
      pass(1)
      assert.deepEqual([cool.isCooling, cool.remainingMs, cool.because], [false, 0, undefined])
    })
  }

  for (const code of [401, 402, 403]) {
    test(`cools for a minute at ${code}, and no longer the next time`, () => {
      const { cooling: cool, failing, pass } = cooling()
      assert.equal(failing(status(code)), 60_000)
      assert.equal(cool.because, String(code))
      pass(60_000)
      assert.equal(failing(status(code)), 60_000)
    })
  }
})

describe('a cooling without a given length', () => {
  for (const failure of [refused, status(429)]) {
    test(`doubles up to a minute, until an answer is good: ${failure.kind}`, () => {
      const { failing, pass, succeeding } = cooling()
      for (const ms of [5000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
        assert.equal(failing(failure), ms)
        pass(ms)
      }
      succeeding()
      assert.equal(failing(failure), 5000)
    })
  }

  test('is one step for 50 requests that fail together', () => {
    const { failing, pass } = cooling()
    assert.equal(failing(refused, 50), 5000)
    pass(3000)
    assert.equal(failing(refused, 50), 2000)
    pass(2000)
    assert.equal(failing(refused, 50), 10_000)
  })

  test('is not ended by an answer to a request that was under way', () => {
    const { failing, succeeding, cooling: cool } = cooling()
    failing(refused)
    succeeding()
    assert.equal(cool.remainingMs, 5000)
    assert.equal(failing(refused), 5000)
  })

  test('begins even in a shorter one that was asked for', () => {
    const { failing } = cooling()
    assert.equal(failing(status(429, 1000)), 1000)
    assert.equal(failing(refused), 5000)
  })
})

describe('a cooling at 429', () => {
  for (const [retryAfterMs, ms] of [
    [0, 0],
    [1500, 1500],
    [600_000, 600_000],
    [3_600_000, 3_600_000],
    [3_600_001, 3_600_000],
    [1e300, 3_600_000],
  ] as const) {
    test(`is ${ms} ms for a Retry-After of ${retryAfterMs} ms`, () => {
      const { failing, cooling: cool } = cooling()
      assert.equal(failing(status(429, retryAfterMs)), ms)
      assert.equal(cool.because, ms > 0 ? '429' : undefined)
    })
  }

  test('does not grow with a Retry-After', () => {
    const { failing, pass } = cooling()
    assert.equal(failing(status(429, 2000), 3), 2000)
    pass(2000)
    assert.equal(failing(status(429, 2000)), 2000)
    pass(2000)
    assert.equal(failing(status(429)), 5000)
  })

  test('follows from an error event that says so', () => {
    const { failing, cooling: cool } = cooling()
    assert.equal(failing({ kind: 'error-event', status: 429 }), 5000)
    assert.equal(cool.because, '429')
  })
})

describe('a shorter cooling', () => {
  test('never shortens a longer one', () => {
    const { cooling: cool, failing } = cooling()
    cool.cool(30_000, 'operator')
    assert.equal(failing(refused), 30_000)
    assert.equal(failing(status(429, 10)), 30_000)
    assert.equal(cool.because, 'operator')
    assert.equal(failing(status(401)), 60_000)
    assert.equal(cool.because, '401')
  })
})

describe('a rate of failures', () => {
  for (const failure of [
    ...[408, 500, 502, 503, 504, 529, 520].map((code) => status(code)),
    ...(['first-byte-timeout', 'first-token-timeout', 'error-event', 'broken'] as const).map((kind) => ({ kind })),
  ] as AttemptFailure[]) {
    test(`cools from the fifth failure on: ${failure.status ?? failure.kind}`, () => {
      const { failing, cooling: cool } = cooling()
      assert.equal(failing(failure, 4), 0)
      assert.equal(failing(failure), 5000)
      assert.equal(cool.because, 'failure_rate')
    })
  }

  test('cools if more than half fail, not if half do', () => {
    const { failing, succeeding } = cooling()
    succeeding(10)
    assert.equal(failing(status(500), 10), 0)
    assert.equal(failing(status(500)), 5000)
  })

  test('counts no other failures', () => {
    const { failing, succeeding, pass } = cooling()
    failing(status(429, 10), 10)
    failing(status(400), 10)
    failing(refused)
    pass(5000)
    succeeding(2)
    assert.equal(failing(status(500), 2), 0)
  })

  test('forgets results after 30 s, and none before 29 s', () => {
    const { failing, pass } = cooling()
    failing(status(500), 4)
    pass(29_000)
    assert.equal(failing(status(500)), 5000, 'five within 29 s')
    const later = cooling()
    later.failing(status(500), 4)
    later.pass(30_000)
    assert.equal(later.failing(status(500)), 0, 'the first four are gone')
    assert.equal(later.failing(status(500), 4), 5000)
  })

  test('forgets good answers as well', () => {
    const { failing, pass, succeeding } = cooling()
    succeeding(1000)
    pass(30_000)
    assert.equal(failing(status(500), 5), 5000)
  })

  test('forgets what failed as well as how many there were', () => {
    const { failing, pass, succeeding } = cooling()
    failing(status(500), 10)
    pass(30_000)
    succeeding(6)
    assert.equal(failing(status(500), 4), 0)
  })

  test('forgets results second by second', () => {
    const { failing, pass, succeeding } = cooling()
    failing(status(500), 4)
    for (let second = 1; second < 30; second++) {
      pass(1000)
      succeeding()
    }
    pass(1000)
    assert.equal(failing(status(500), 29), 0, '29 of 58')
    assert.equal(failing(status(500)), 5000, '30 of 59')
  })

  test('slides: failures cool only if five fall within 30 s', () => {
    const { failing, pass } = cooling()
    // One failure each 8 s: never five in 30 s.
    for (let at = 0; at < 40; at++) {
      assert.equal(failing(status(500)), 0)
      pass(8000)
    }
    pass(30_000)
    // One each 7 s: the fifth comes after 28 s.
    for (let at = 0; at < 4; at++) {
      assert.equal(failing(status(500)), 0)
      pass(7000)
    }
    assert.equal(failing(status(500)), 5000)
  })

  test('is forgotten after very long times, and survives them', () => {
    const { failing, pass } = cooling()
    failing(status(500), 4)
    pass(1e12)
    assert.equal(failing(status(500), 4), 0)
    assert.equal(failing(status(500)), 5000)
  })

  test('doubles the cooling if the target still fails after it', () => {
    const { failing, pass } = cooling()
    failing(status(500), 50)
    pass(5000)
    assert.equal(failing(status(500)), 10_000)
  })
})

describe('warming', () => {
  test('ends a cooling, and starts over', () => {
    const { cooling: cool, failing, pass } = cooling()
    failing(refused)
    pass(5000)
    failing(refused)
    failing(status(500), 4)
    cool.warm()
    assert.deepEqual([cool.isCooling, cool.because], [false, undefined])
    assert.equal(failing(status(500), 4), 0, 'no rate is left')
    assert.equal(failing(refused), 5000, 'nor a step')
  })
})
