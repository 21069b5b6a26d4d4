import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { catchRejection } from '../../lib/util/promises.js'
import { settled } from '../support/event-loop.js'
import { unhandledRejections } from '../support/unhandled.js'

/** A literal with `then` is a slip, as a rule; here it is meant. */
const havingThen = (then: unknown): object => Object.fromEntries([['then', then]])

for (const [name, make] of [
  ['a promise', () => Promise.reject('late')],
  ['a promise of another realm', () => runInNewContext("Promise.reject('late')")],
  ['a thenable of a library', () => havingThen((_: unknown, reject: (error: unknown) => void) => reject('late'))],
] as const) {
  test(`${name} is handled: its rejection is reported, and does not end the process`, async (t) => {
    const unhandled = unhandledRejections(t)
    const told: unknown[] = []
    assert.equal(
      catchRejection(make(), (error) => told.push(error)),
      true,
    )
    await settled()
    assert.deepEqual([told, unhandled], [['late'], []])
  })
}

for (const value of [undefined, null, 5, 'then', {}, havingThen(5), () => {}]) {
  test(`${typeof value} ${JSON.stringify(value)} is not a promise`, () => {
    assert.equal(
      catchRejection(value, () => {}),
      false,
    )
  })
}
