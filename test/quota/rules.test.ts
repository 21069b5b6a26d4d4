import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CalendarCache } from '../../lib/quota/calendar.js'
import { bucketNamed, compileRules } from '../../lib/quota/rules.js'

const now = Date.parse('2026-11-29T12:00Z')
const compile = (...rules: unknown[]) => compileRules(rules, now, new CalendarCache())

describe('rules of a quota', () => {
  test('have a bucket for each limit, with whole units', () => {
    const buckets = compile({ key: 'a', requests: 5, tokens: 10.9, cost: 1.5, concurrent: 2, per: '2h' })
    assert.deepEqual(
      buckets.map(({ kind, name, allowed, window }) => [kind, name, allowed, window.kind]),
      [
        ['requests', 'requests:2h', 5, 'sliding'],
        ['tokens', 'tokens:2h', 10, 'sliding'],
        ['cost', 'cost:2h', 1_500_000_000, 'sliding'],
        ['concurrent', 'concurrent', 2, 'none'],
      ],
    )
  })

  test('take times up to 400 days, and a calendar with a zone', () => {
    const windows = ['1s', '90m', '5h', '400d'].map((per) => compile({ key: 'a', requests: 1, per })[0]!.window)
    assert.deepEqual(
      windows.map((window) => window.kind === 'sliding' && window.ms),
      [1000, 5_400_000, 18_000_000, 34_560_000_000],
    )
    const [bucket] = compile({ key: 'a', requests: 1, per: 'month', timeZone: 'Europe/Berlin' })
    assert.deepEqual([bucket?.name, bucket?.window.kind], ['requests:month@Europe/Berlin', 'calendar'])
  })

  test('have none of what is false', () => {
    const limits = (rule: object) => compile({ key: 'a', per: '1h', ...rule }).map(({ name }) => name)
    assert.deepEqual(limits({ tokens: 5, requests: false, cost: false }), ['tokens:1h'])
    assert.deepEqual(limits({ tokens: false, concurrent: false }), [])
  })

  for (const [what, rule, message] of [
    ['a time of nothing', { key: 'a', requests: 1, per: '0s' }, /limits\[0\]\.per takes a time like/],
    ['a time beyond 400 days', { key: 'a', requests: 1, per: '401d' }, /limits\[0\]\.per/],
    ['a fraction of a time', { key: 'a', requests: 1, per: '1.5h' }, /limits\[0\]\.per/],
    ['no time zone', { key: 'a', requests: 1, per: 'day', timeZone: null }, /limits\[0\]\.timeZone/],
    ['a time zone of a sliding window', { key: 'a', requests: 1, per: '1h', timeZone: 'UTC' }, /limits\[0\]\.timeZone/],
    ['less than nothing', { key: 'a', tokens: -1, per: '1h' }, /limits\[0\]\.tokens takes/],
    ['infinity', { key: 'a', tokens: Number.POSITIVE_INFINITY, per: '1h' }, /limits\[0\]\.tokens/],
    ['more money than stores can count', { key: 'a', cost: 2e6, per: '1h' }, /limits\[0\]\.cost/],
    ['an empty key', { key: '', requests: 1, per: '1h' }, /limits\[0\]\.key takes a key of 1 to 512/],
    ['a long key', { key: 'x'.repeat(513), requests: 1, per: '1h' }, /limits\[0\]\.key/],
    ['no object', null, /limits\[0\] takes an object/],
    [
      'a time of exchanges at once',
      { key: 'a', concurrent: 1, per: '1h' },
      /limits\[0\]\.per takes no value with `concurrent`/,
    ],
    [
      'a zone of exchanges at once',
      { key: 'a', concurrent: 1, timeZone: 'UTC' },
      /limits\[0\]\.timeZone takes no value/,
    ],
  ] as const) {
    test(`refuse ${what}`, () => assert.throws(() => compile(rule), { name: 'TypeError', message }))
  }

  test('are 20 at most', () => {
    const rules = Array.from({ length: 21 }, (_, at) => ({ key: `${at}`, requests: 1, per: '1h' }))
    assert.equal(compile(...rules.slice(1)).length, 20)
    assert.throws(() => compile(...rules), /at most 20/)
  })

  test('are found again by the names of their buckets', () => {
    const rules = [
      { key: 'a', requests: 5, cost: 2, concurrent: 1, per: '2h' },
      { key: 'a', tokens: 7, per: 'week', timeZone: 'Europe/Berlin' },
    ]
    for (const bucket of compile(...rules)) {
      assert.deepEqual(bucketNamed('a', bucket.name, bucket.allowed, now, new CalendarCache()), bucket)
    }
    for (const name of ['tokens:soon', 'tokens:day@Mars/Olympus']) {
      assert.equal(bucketNamed('a', name, 1, now, new CalendarCache()), undefined)
    }
  })
})
