import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HookedExchange } from '../../lib/api/hooks.js'
import { HookErrors, HookFault } from '../../lib/options/hook-errors.js'
import { compileLabels } from '../../lib/options/labels.js'
import { settled } from '../support/event-loop.js'

const exchange = { id: 'exchange-1', model: 'm' } as HookedExchange

/** What becomes of what the app's function returns. */
function labelled(returned: unknown) {
  const reports: unknown[][] = []
  const hookErrors = new HookErrors((error, context) => void reports.push([error, context]))
  const labelsOf = compileLabels(() => returned as Record<string, string>, hookErrors)
  return { labels: labelsOf?.(exchange), reports }
}

describe('labels', () => {
  test('are those that the function returns for the exchange', () => {
    const labelsOf = compileLabels(({ id, model }) => ({ id, model }), new HookErrors(undefined))
    assert.deepEqual(labelsOf?.(exchange), { id: 'exchange-1', model: 'm' })
  })

  test('cost nothing without a function', () => {
    assert.equal(compileLabels(undefined, new HookErrors(undefined)), undefined)
  })

  test('that are undefined are left out', () => {
    assert.deepEqual(labelled({ tenant: undefined, plan: 'free' }), { labels: { plan: 'free' }, reports: [] })
  })

  test('are cut after 128 characters, and not in the middle of one', () => {
    assert.deepEqual(labelled({ a: 'x'.repeat(128), b: 'x'.repeat(129) }).labels, {
      a: 'x'.repeat(128),
      b: 'x'.repeat(128),
    })
    const { labels } = labelled({ a: `${'x'.repeat(127)}😀` })
    assert.equal(labels?.a, `${'x'.repeat(127)}\ufffd`)
  })

  test('may be 10, with names of 64 characters', () => {
    const all = Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`${'n'.repeat(63)}${at}`, 'v']))
    assert.deepEqual(labelled(all), { labels: all, reports: [] })
    // What has no value is not counted.
    assert.deepEqual(labelled({ ...all, none: undefined }).labels, all)
  })

  test('may have the name of a property that objects have', () => {
    const { labels } = labelled(JSON.parse('{"__proto__":"a","constructor":"b"}'))
    assert.deepEqual(Object.entries(labels ?? {}), [
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ])
  })

  for (const [what, returned, message] of [
    ['nothing', undefined, /must return an object; got undefined/],
    ['null', null, /must return an object; got null/],
    ['a list', ['a'], /must return an object; got \[/],
    ['a string', 'a', /must return an object; got 'a'/],
    ['11 labels', Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`n${at}`, 'v'])), /at most 10 labels/],
    ['a name with a dash', { 'user-id': 'a' }, /got 'user-id'/],
    ['a name with a digit at its start', { '1st': 'a' }, /got '1st'/],
    ['an empty name', { '': 'a' }, /got ''/],
    ['a name of 65 characters', { ['n'.repeat(65)]: 'a' }, /64 characters/],
    ['a number', { tenant: 7 }, /tenant is 7/],
    ['null as a value', { tenant: null }, /tenant is null/],
  ] as [string, unknown, RegExp][]) {
    test(`are none if the function returns ${what}, which is reported`, () => {
      const { labels, reports } = labelled(returned)
      assert.equal(labels, undefined)
      const [[error, context] = [], ...others] = reports
      assert.deepEqual(others, [])
      assert.ok(error instanceof HookFault)
      assert.match(error.message, message)
      assert.deepEqual(context, { hook: 'labels', exchange })
    })
  }

  test('are none if the function throws, which is reported', () => {
    const reports: unknown[] = []
    const thrown = new Error('no user')
    const hookErrors = new HookErrors((error, { hook }) => void reports.push([hook, error]))
    const labelsOf = compileLabels(() => {
      throw thrown
    }, hookErrors)
    assert.equal(labelsOf?.(exchange), undefined)
    assert.deepEqual(reports, [['labels', thrown]])
  })

  test('are none if the function returns a promise, whose rejection is reported as well', async () => {
    const { labels, reports } = labelled(Promise.reject(new Error('later')))
    assert.equal(labels, undefined)
    await settled()
    assert.deepEqual(
      reports.map(([error]) => (error as Error).message),
      ['labels must return an object at once; got a promise', 'later'],
    )
  })
})
