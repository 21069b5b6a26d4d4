import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AppLabelOptions, AppLabels } from '../../lib/metrics/app-labels.js'
import { recordOf } from './support/records.js'

const labelsOf = (options: AppLabelOptions, reserved: string[] = []) =>
  new AppLabels('anObserver', options, reserved, 'other')
const failed = { outcome: 'rejected', code: 'model_not_allowed', status: 403 } as const

describe("the app's labels in metrics", () => {
  test('are those named, as far as the record has them', () => {
    const labels = labelsOf({ labels: ['tenant', 'plan', 'constructor'] })
    const record = recordOf({ labels: { tenant: 'a', feature: 'chat' } })
    assert.deepEqual(labels.allOf(record), { tenant: 'a' })
    assert.deepEqual(labels.boundedOf(record), { tenant: 'a' })
    assert.deepEqual(labelsOf({}).allOf(record), {})
  })

  test('have a bounded number of values, each label by itself', () => {
    const labels = labelsOf({ labels: ['tenant', 'plan'], maxLabelValues: 2 })
    const seen = ['a', 'b', 'c', 'a'].map((tenant) => labels.boundedOf(recordOf({ labels: { tenant, plan: 'free' } })))
    assert.deepEqual(
      seen,
      ['a', 'b', 'other', 'a'].map((tenant) => ({ tenant, plan: 'free' })),
    )
  })

  test('have 100 values by default', () => {
    const labels = labelsOf({ labels: ['tenant'] })
    const seen = Array.from({ length: 101 }, (_, at) => labels.boundedOf(recordOf({ labels: { tenant: `t${at}` } })))
    assert.deepEqual(seen.slice(-2), [{ tenant: 't99' }, { tenant: 'other' }])
  })

  test('give no value of its own to what was refused, unless it had one', () => {
    const labels = labelsOf({ labels: ['tenant'], maxLabelValues: 1 })
    const refused = (tenant: string) => labels.boundedOf(recordOf({ ...failed, labels: { tenant } })).tenant
    assert.equal(refused('made-up'), 'other')
    labels.boundedOf(recordOf({ labels: { tenant: 'real' } }))
    assert.deepEqual([refused('real'), refused('made-up')], ['real', 'other'])
  })

  test('all share one value if there is room for none', () => {
    const labels = labelsOf({ labels: ['tenant'], maxLabelValues: 0 })
    assert.deepEqual(labels.boundedOf(recordOf({ labels: { tenant: 'a' } })), { tenant: 'other' })
  })

  for (const [what, options, message] of [
    ['no list', { labels: 'tenant' }, /^anObserver: labels takes a list of at most 10 names; got 'tenant'$/],
    [
      '11 names',
      { labels: Array.from({ length: 11 }, (_, at) => `n${at}`) },
      /labels takes a list of at most 10 names/,
    ],
    ['a dash', { labels: ['ok', 'user-id'] }, /labels\[1\] takes a name of letters, .*; got 'user-id'$/],
    ['a number', { labels: [1] }, /labels\[0\] takes a name of letters/],
    ['a reserved name', { labels: ['model'] }, /labels\[0\] takes a name that its metrics do not .*; got 'model'$/],
    ['a name twice', { labels: ['a', 'a'] }, /labels\[1\] takes each name once; got 'a'$/],
    [
      'maxLabelValues without end',
      { maxLabelValues: Infinity },
      /maxLabelValues takes a number of at least 0, or false for no maximum; got Infinity$/,
    ],
    [
      'maxLabelValues of -1',
      { maxLabelValues: -1 },
      /maxLabelValues takes a number of at least 0, or false for no maximum; got -1$/,
    ],
    [
      'maxLabelValues as text',
      { maxLabelValues: '5' },
      /maxLabelValues takes a number of at least 0, or false for no maximum; got '5'$/,
    ],
  ] as [string, AppLabelOptions, RegExp][]) {
    test(`refuse ${what}`, () => {
      assert.throws(() => labelsOf(options, ['model']), { name: 'TypeError', message })
    })
  }
})
