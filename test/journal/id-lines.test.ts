import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { idLinePrefix, reuse, withIdLines } from '../../lib/journal/id-lines.js'

/** Two events, long enough for memory that is used again. */
const events = Buffer.from(`data: ${'a'.repeat(3000)}\n\ndata: ${'b'.repeat(3000)}\n\n`)
const ends = [events.length / 2, events.length]
const prefix = idLinePrefix('epoch')
const withIds = () => withIdLines(events, ends, prefix, 1, true)

test('each event is preceded by a line with its number', () => {
  const event = 'data: a\n\n'
  for (const [first, count] of [
    [1, 1],
    [1, 9],
    [9, 1],
    [9, 2],
    [99, 3],
    [995, 20],
    [1, 1100],
    [99_999, 2],
  ] as const) {
    const given = Buffer.from(event.repeat(count))
    const ends = Array.from({ length: count }, (_, index) => (index + 1) * event.length)
    const wanted = ends.map((_, index) => `id: epoch.${first + index}\n${event}`).join('')
    for (const isReusable of [true, false])
      assert.equal(String(withIdLines(given, ends, prefix, first, isReusable)), wanted)
    assert.equal(String(given), event.repeat(count))
  }
})

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
