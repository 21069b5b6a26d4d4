import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Accounts } from './accounts.js'
import type { ToldAttempt } from './attempts.js'
import type { Sample } from './sample.js'
import { type Soak, verdicts } from './verdicts.js'

const sample = (more: Partial<Sample> = {}): Sample => ({
  heldBytes: 1e7,
  handles: {},
  sockets: 0,
  upstream: 0,
  active: 0,
  inFlight: 0,
  bodyBytes: 0,
  reserved: 0,
  ...more,
})

const failed = (target: string): ToldAttempt => ({ target, status: 503, code: undefined })
const served = (target: string): ToldAttempt => ({ target, status: 200, code: undefined })

/** An attempt that had no answer. */
const without = (target: string, code: string): ToldAttempt => ({ target, status: undefined, code })

const SEEN = [
  ['burst #1', 'faulty'],
  ['burst #1', 'healthy'],
  ['stall #2', 'healthy'],
] as const

/** A soak of two exchanges in which everything is right. */
function fine(): Soak {
  const accounts = new Accounts()
  accounts.begin('burst', 'burst #1', 'completed')
  accounts.begin('stall', 'stall #2', 'limit_exceeded idle_timeout')
  accounts.record('burst #1', 'completed', [failed('faulty'), served('healthy')])
  accounts.record('stall #2', 'limit_exceeded idle_timeout', [served('healthy')])
  for (const [id, target] of SEEN) accounts.attempts.see(id, target)
  return {
    accounts,
    counted: { exchanges: 2, ended: 2, inFlight: 0, bodyBytes: 0, reserved: 0 },
    clients: 2,
    start: sample({ handles: { TCPServerWrap: 1 } }),
    quiet: [sample(), sample()],
    end: sample({ handles: { TCPServerWrap: 1, Immediate: 1 } }),
    exchangesBetween: 1,
    busy: [sample({ active: 2, reserved: 2 })],
  }
}

/** A soak with another exchange, which the middlewares did not count. */
function third(told: ToldAttempt[], seen: string[]): Soak {
  const soak = fine()
  soak.accounts.begin('burst', 'burst #3', 'completed')
  for (const target of seen) soak.accounts.attempts.see('burst #3', target)
  soak.accounts.record('burst #3', 'completed', told)
  return soak
}

const found = (soak: Soak) =>
  verdicts(soak)
    .filter(({ isFine }) => !isFine)
    .map(({ found }) => found)

describe('the accounts of the soak test', () => {
  test('report nothing if all is well', async () => {
    const soak = fine()
    assert.deepEqual(found(soak), [])
    assert.deepEqual([...soak.accounts.ends.values()], [1, 1])
  })

  test('resolve the promise of a record with that record', async () => {
    const accounts = new Accounts()
    const recorded = accounts.begin('burst', 'burst #1', 'completed')
    accounts.record('burst #1', 'completed', [])
    await recorded
  })

  const amiss: Record<string, { by: (accounts: Accounts) => unknown; found: string[] }> = {
    'a lost record': {
      by: (accounts) => accounts.begin('burst', 'burst #3', 'completed'),
      found: ['3 begun, 2 records, 1 lost', '2 begun, 2 ended'],
    },
    'a duplicate record': {
      by: (accounts) => accounts.record('burst #1', 'completed', []),
      found: ['2 begun, 3 records, 0 lost', '1 double'],
    },
    'a duplicate and a lost record, which cancel out in the sum': {
      by: (accounts) => {
        accounts.begin('burst', 'burst #3', 'completed')
        accounts.record('burst #1', 'completed', [])
      },
      found: ['3 begun, 3 records, 1 lost', '1 double', '2 begun, 2 ended'],
    },
    'a record of an unknown exchange': {
      by: (accounts) => accounts.record('undefined', 'completed', []),
      found: ['2 begun, 3 records, 0 lost', '1 unknown'],
    },
    'an end other than the one expected': {
      by: (accounts) => {
        accounts.begin('burst', 'burst #3', 'completed')
        accounts.record('burst #3', 'client_disconnect', [])
      },
      found: ['1 wrong end', '2 begun, 2 ended'],
    },
    'a client that got an unexpected result': {
      by: (accounts) => accounts.disappoint('burst #1', new Error('half of it\nand more')),
      found: ['1 client saw something else'],
    },
  }
  for (const [what, { by, found: expected }] of Object.entries(amiss)) {
    test(`report ${what}`, () => {
      const soak = fine()
      by(soak.accounts)
      assert.deepEqual(found(soak), expected)
      if (!expected[0]!.endsWith('1 lost')) assert.equal(soak.accounts.examples.length, 1)
    })
  }

  const others = ['2 begun, 2 ended']
  const mismatched: Record<string, { told: ToldAttempt[]; seen: string[]; mismatch: string }> = {
    'a request that no record has': {
      told: [served('healthy')],
      seen: ['faulty', 'healthy'],
      mismatch: 'burst #3: recorded healthy 200; seen faulty, healthy',
    },
    'an attempt that no provider saw': {
      told: [failed('faulty'), served('healthy')],
      seen: ['healthy'],
      mismatch: 'burst #3: recorded faulty 503, healthy 200; seen healthy',
    },
    'an attempt that was made twice and recorded once': {
      told: [failed('faulty'), served('healthy')],
      seen: ['faulty', 'faulty', 'healthy'],
      mismatch: 'burst #3: recorded faulty 503, healthy 200; seen faulty, faulty, healthy',
    },
    'a reset that no provider caused': {
      told: [without('faulty', 'upstream_reset'), served('healthy')],
      seen: ['healthy'],
      mismatch: 'burst #3: recorded faulty upstream_reset, healthy 200; seen healthy',
    },
    'a request without an attempt': {
      told: [],
      seen: ['healthy'],
      mismatch: 'burst #3: recorded none; seen healthy',
    },
  }
  for (const [what, { told, seen, mismatch }] of Object.entries(mismatched)) {
    test(`report ${what}`, () => {
      const soak = third(told, seen)
      assert.deepEqual(soak.accounts.attempts.mismatches, [mismatch])
      const attempts = `${3 + told.length} attempts, 1 exchanges with others`
      assert.deepEqual(found(soak), [...others, attempts])
    })
  }

  for (const code of ['outrun', 'abandoned', 'upstream_unreachable', 'shutting_down']) {
    test(`accept an attempt that ended as ${code}, whether the provider saw it or not`, () => {
      const told = [without('faulty', code), served('healthy')]
      assert.deepEqual(found(third(told, ['healthy'])), others)
      assert.deepEqual(found(third(told, ['healthy', 'faulty'])), others)
    })
  }

  test('accept a reset that the provider saw twice, but not three times', () => {
    const told = [without('faulty', 'upstream_reset'), served('healthy')]
    assert.deepEqual(found(third(told, ['faulty', 'healthy'])), others)
    assert.deepEqual(found(third(told, ['faulty', 'faulty', 'healthy'])), others)
    const thrice = third(told, ['faulty', 'faulty', 'faulty', 'healthy'])
    assert.deepEqual(found(thrice), [...others, '5 attempts, 1 exchanges with others'])
  })

  test('accept a request that arrives after the record of its exchange', () => {
    const soak = third([without('faulty', 'abandoned')], [])
    soak.accounts.attempts.see('burst #3', 'faulty')
    assert.deepEqual(soak.accounts.attempts.mismatches, [])
  })

  test('report a soak in which no target failed', () => {
    const accounts = new Accounts()
    for (const id of ['burst #1', 'burst #2']) {
      accounts.begin('burst', id, 'completed')
      accounts.record(id, 'completed', [served('healthy')])
      accounts.attempts.see(id, 'healthy')
    }
    assert.deepEqual(found({ ...fine(), accounts }), ['in 0 exchanges'])
  })

  test('report targets that stay busy, and bodies that stay held', () => {
    assert.deepEqual(found({ ...fine(), quiet: [sample({ inFlight: 2 }), sample()] }), ['2 attempts, 0 bytes'])
    assert.deepEqual(found({ ...fine(), quiet: [sample(), sample({ bodyBytes: 9 })] }), ['0 attempts, 9 bytes'])
    const counted = { ...fine().counted, inFlight: 1, bodyBytes: 3 }
    assert.deepEqual(found({ ...fine(), counted }), ['1 attempts, 3 bytes'])
  })

  test('report reservations that are not given back, and policies that never held any', () => {
    assert.deepEqual(found({ ...fine(), quiet: [sample(), sample({ reserved: 3 })] }), ['3, 2'])
    assert.deepEqual(found({ ...fine(), counted: { ...fine().counted, reserved: 1 } }), ['1, 2'])
    assert.deepEqual(found({ ...fine(), busy: [sample({ active: 2 })] }), ['0, 0'])
  })

  test('report growth', () => {
    const grown = { heldBytes: 1e7 + 2 * 1024 * 1024 }
    assert.deepEqual(found({ ...fine(), quiet: [sample(), sample(grown)] }), [
      '2,048 KiB in 1 exchanges (1,024 KiB allowed)',
    ])
    assert.deepEqual(found({ ...fine(), quiet: [sample(), sample({ sockets: 7 })] }), ['7 and 0 at most'])
    assert.deepEqual(found({ ...fine(), quiet: [sample(), sample({ active: 1 })] }), ['1, 2'])
    assert.deepEqual(found({ ...fine(), busy: [sample({ reserved: 2 })] }), ['0, 0'])
    assert.deepEqual(found({ ...fine(), end: sample({ upstream: 1 }) }), ['1 connections'])
    const handles = { TCPServerWrap: 2, Timeout: 3 }
    assert.deepEqual(found({ ...fine(), end: sample({ handles }) }), ['0 connections, 1 TCPServerWrap, 3 Timeout'])
  })
})
