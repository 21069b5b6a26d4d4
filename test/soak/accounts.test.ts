import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Accounts } from './accounts.js'
import type { Sample } from './sample.js'
import { type Soak, verdicts } from './verdicts.js'

const sample = (more: Partial<Sample> = {}): Sample => ({
  heldBytes: 1e7,
  handles: {},
  sockets: 0,
  upstream: 0,
  active: 0,
  ...more,
})

/** A soak of two exchanges in which everything is right. */
function fine(): Soak {
  const accounts = new Accounts()
  accounts.begin('burst', 'burst #1', 'completed')
  accounts.begin('stall', 'stall #2', 'limit_exceeded idle_timeout')
  accounts.record('burst #1', 'completed')
  accounts.record('stall #2', 'limit_exceeded idle_timeout')
  return {
    accounts,
    counted: { exchanges: 2, ended: 2 },
    clients: 2,
    start: sample({ handles: { TCPServerWrap: 1 } }),
    quiet: [sample(), sample()],
    end: sample({ handles: { TCPServerWrap: 1, Immediate: 1 } }),
    exchangesBetween: 1,
    busy: [sample({ active: 2 })],
  }
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
    accounts.record('burst #1', 'completed')
    await recorded
  })

  const amiss: Record<string, { by: (accounts: Accounts) => unknown; found: string[] }> = {
    'a lost record': {
      by: (accounts) => accounts.begin('burst', 'burst #3', 'completed'),
      found: ['3 begun, 2 records, 1 lost', '2 begun, 2 ended'],
    },
    'a duplicate record': {
      by: (accounts) => accounts.record('burst #1', 'completed'),
      found: ['2 begun, 3 records, 0 lost', '1 double'],
    },
    'a duplicate and a lost record, which cancel out in the sum': {
      by: (accounts) => {
        accounts.begin('burst', 'burst #3', 'completed')
        accounts.record('burst #1', 'completed')
      },
      found: ['3 begun, 3 records, 1 lost', '1 double', '2 begun, 2 ended'],
    },
    'a record of an unknown exchange': {
      by: (accounts) => accounts.record('undefined', 'completed'),
      found: ['2 begun, 3 records, 0 lost', '1 unknown'],
    },
    'an end other than the one expected': {
      by: (accounts) => {
        accounts.begin('burst', 'burst #3', 'completed')
        accounts.record('burst #3', 'client_disconnect')
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

  test('report growth', () => {
    const grown = { heldBytes: 1e7 + 2 * 1024 * 1024 }
    assert.deepEqual(found({ ...fine(), quiet: [sample(), sample(grown)] }), [
      '2,048 KiB in 1 exchanges (1,024 KiB allowed)',
    ])
    assert.deepEqual(found({ ...fine(), quiet: [sample(), sample({ sockets: 7 })] }), ['7 and 0 at most'])
    assert.deepEqual(found({ ...fine(), quiet: [sample(), sample({ active: 1 })] }), ['1, 2'])
    assert.deepEqual(found({ ...fine(), busy: [sample()] }), ['0, 0'])
    assert.deepEqual(found({ ...fine(), end: sample({ upstream: 1 }) }), ['1 connections'])
    const handles = { TCPServerWrap: 2, Timeout: 3 }
    assert.deepEqual(found({ ...fine(), end: sample({ handles }) }), ['0 connections, 1 TCPServerWrap, 3 Timeout'])
  })
})
