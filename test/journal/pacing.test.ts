import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { JournalBatch } from '../../lib/api/journal.js'
import { getFormat } from '../../lib/formats/index.js'
import { sse } from '../../lib/framing/index.js'
import { joined } from '../../lib/journal/event-ends.js'
import { batchFrom } from '../../lib/journal/id-bytes.js'
import { pacing } from '../../lib/journal/pacing.js'

const chat = getFormat('openai-chat')
const event = (content: string) =>
  Buffer.from(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`)

function batchOf(first: number, at: number, texts: readonly string[]): JournalBatch {
  return { first, at, ...joined(texts.map(event)) }
}

describe('the pace of a kept stream', () => {
  test('instant: nothing waits', () => {
    assert.equal(pacing('instant', chat, sse), undefined)
  })

  test('recorded: each batch waits as long after the first as it came', () => {
    let now = 5000
    const pace = pacing('recorded', chat, sse, () => now)!
    assert.deepEqual(pace(batchOf(1, 300, ['a'])), { count: 1, waitMs: 0 })
    assert.deepEqual(pace(batchOf(2, 420, ['b'])), { count: 0, waitMs: 120 })
    now += 100
    assert.deepEqual(pace(batchOf(2, 420, ['b'])), { count: 0, waitMs: 20 })
    now += 20
    assert.deepEqual(pace(batchOf(2, 420, ['b', 'c'])), { count: 2, waitMs: 0 })
  })

  test('tokensPerSecond: as many events go out as the rate allows', () => {
    let now = 0
    const pace = pacing({ tokensPerSecond: 10 }, chat, sse, () => now)!
    const texts = Array.from({ length: 12 }, () => ' word')
    let left = batchOf(1, 0, texts)
    let sent = 0
    for (; left.ends.length > 0; now += 100) {
      const { count, waitMs } = pace(left)
      sent += count
      assert.ok(sent <= 1 + now / 100 + 1, `${sent} after ${now} ms`)
      assert.equal(count === left.ends.length, waitMs === 0)
      left = batchFrom(left, left.first + count)
    }
    assert.equal(sent, 12)
    assert.ok(now >= 1000, String(now))
  })
})
