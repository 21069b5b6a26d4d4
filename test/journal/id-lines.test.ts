import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { idLinePrefix, reuse, withIdLines } from '../../lib/journal/id-lines.js'

/** Two events, long enough for memory that is used again. */
const events = Buffer.from(`data: ${'a'.repeat(3000)}\n\ndata: ${'b'.repeat(3000)}\n\n`)
const ends = [events.length / 2, events.length]
const prefix = idLinePrefix('epoch')
const withIds = () => withIdLines(events, ends, prefix, 1, true)

describe('the memory of events with ids', () => {
  test('is used again once they are sent, and not before', () => {
    const sent = withIds()
    const other = withIds()
    assert.notEqual(sent.buffer, other.buffer)
    assert.deepEqual(sent, other)
    reuse(other)
    assert.equal(withIds().buffer, other.buffer)
  })

  test('is never that of somebody else, although it has the same size', () => {
    const others = Buffer.allocUnsafeSlow(128 * 1024).fill(7)
    const held = withIds()
    reuse(others)
    assert.notEqual(withIds().buffer, others.buffer)
    assert.equal(others.at(0), 7)
    assert.ok(held.length > 6000)
  })
})
