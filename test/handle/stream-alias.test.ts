import assert from 'node:assert/strict'
import { test } from 'node:test'
import { putAlias } from '../../lib/handle/stream-alias.js'
import { changedJournal } from '../e2e/journal/support.js'

test('a second id of an answer that begins now can be used for the whole window after its end', () => {
  const hour = 60 * 60_000
  const times: number[] = []
  const { journal } = changedJournal(() => ({ put: (_name, _value, ms) => times.push(ms) > 0 }))
  for (const windowMs of [1000, hour]) {
    putAlias(journal, 'id', { entry: 'entry', reader: 'ada', hidesUsage: false }, windowMs)
  }
  assert.deepEqual(times, [hour + 1000, 2 * hour])
})
