import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JournalBatch } from '../../lib/api/journal.js'
import { idBytesOf } from '../../lib/journal/id-bytes.js'
import { idLinePrefix } from '../../lib/journal/id-lines.js'
import { memoryJournal } from '../../lib/journal.js'

const event = Buffer.from('data: a\n\n')
const prefix = idLinePrefix('epoch')

test('readers of one entry share the bytes with ids, whenever each of them reads', async (t) => {
  const journal = memoryJournal()
  t.after(() => journal.close())
  const entry = { id: 'a', about: '{}', maxBytes: 1 << 20, trims: true, keepMs: 60_000 }
  const writer = journal.create(entry, { onStop: () => {}, onReaders: () => {}, onFailure: assert.fail })
  for (const first of [1, 2]) writer.append({ first, bytes: event, ends: [event.length], at: 0 })
  const read = async () => (await journal.read('a', 0, 1 << 20)).batches.map((batch) => idBytesOf(batch, prefix))
  const [one, other] = [await read(), await read()]
  assert.deepEqual(one.map(String), ['id: epoch.1\ndata: a\n\n', 'id: epoch.2\ndata: a\n\n'])
  assert.ok(one.every((bytes, index) => bytes === other[index]))
})

test('others get bytes of their own, even if they use the same memory', () => {
  const batch: JournalBatch = { first: 1, bytes: Buffer.concat([event, event]), ends: [9, 18], at: 0 }
  assert.equal(String(idBytesOf(batch, prefix)), 'id: epoch.1\ndata: a\n\nid: epoch.2\ndata: a\n\n')
  const half = { ...batch, bytes: batch.bytes.subarray(0, 9), ends: [9] }
  assert.equal(String(idBytesOf(half, prefix)), 'id: epoch.1\ndata: a\n\n')
  assert.equal(String(idBytesOf({ ...half, first: 3 }, prefix)), 'id: epoch.3\ndata: a\n\n')
  assert.equal(String(idBytesOf(half, idLinePrefix('other'))), 'id: other.1\ndata: a\n\n')
  const rest = { ...batch, first: 2, bytes: batch.bytes.subarray(9), ends: [9] }
  assert.equal(String(idBytesOf(rest, prefix)), 'id: epoch.2\ndata: a\n\n')
})
