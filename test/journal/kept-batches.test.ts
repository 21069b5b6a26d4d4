import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { JournalBatch } from '../../lib/api/journal.js'
import { followingBatches } from '../../lib/journal/following-batches.js'
import { FreeBlocks } from '../../lib/journal/free-blocks.js'
import { KeptBatches } from '../../lib/journal/kept-batches.js'
import { copyChunk, prependInPlace, takeBack } from '../../lib/util/chunk-memory.js'

for (const [what, size] of [
  ['copied', 60 * 1024],
  ['too long to be copied', 200 * 1024],
] as const) {
  test(`events that are ${what} stay when the memory of their chunk is taken back`, (t) => {
    // As from Node 22 on, where memory that is not used again is given back at once.
    const { prototype } = ArrayBuffer as unknown as { prototype: { transfer?: () => ArrayBuffer } }
    if (!prototype.transfer) {
      t.after(() => Reflect.deleteProperty(prototype, 'transfer'))
      prototype.transfer = function (this: ArrayBuffer) {
        return structuredClone(this, { transfer: [this] })
      }
    }
    const batches = new KeptBatches(new FreeBlocks(0), 1 << 20)
    const bytes = prependInPlace([Buffer.from('id')], 2, copyChunk(Buffer.alloc(size, 'e')))!
    batches.add({ first: 1, bytes, ends: [bytes.length], at: 0 })
    takeBack(bytes, 0)
    assert.equal(String(batches.following(0, 1)[0]?.bytes), `id${'e'.repeat(size)}`)
  })
}

describe('kept batches', () => {
  test('are those that were added, without those that were dropped', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 500, max: 150_000 })), {
      minLength: 1,
      maxLength: 6,
    })
    const step = fc.oneof(
      { weight: 5, arbitrary: sizes.map((add) => ({ add })) },
      { weight: 2, arbitrary: fc.constant('drop' as const) },
      { weight: 2, arbitrary: fc.record({ after: fc.nat(120), maxBytes: fc.integer({ min: 1, max: 200_000 }) }) },
    )
    const free = new FreeBlocks(1 << 20)
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const batches = new KeptBatches(free, 1 << 20)
        const model: JournalBatch[] = []
        const read: { readonly batch: JournalBatch; readonly was: string }[] = []
        let events = 0
        for (const each of steps) {
          if (each === 'drop') {
            // The newest is never dropped.
            if (model.length < 2) continue
            batches.dropFirst()
            model.shift()
          } else if ('add' in each) {
            const bytes = Buffer.concat(each.add.map((size, at) => Buffer.alloc(size, `${events + at} `)))
            const ends = each.add.map((_, at) => each.add.slice(0, at + 1).reduce((sum, size) => sum + size))
            const batch = { first: events + 1, bytes, ends, at: events * 1.5 }
            events += ends.length
            model.push({ ...batch, bytes: Buffer.from(bytes) })
            batches.add(batch)
            bytes.fill(0, 0, bytes.length > 130_000 ? 0 : undefined)
          } else {
            const found = batches.following(each.after, each.maxBytes)
            assert.deepEqual(found, followingBatches(model, each.after, each.maxBytes))
            for (const batch of found) read.push({ batch, was: String(batch.bytes) })
          }
          assert.equal(batches.oldest, model[0]?.first)
          assert.equal(batches.length, model.length)
          assert.equal(
            batches.eventBytes,
            model.reduce((sum, { bytes }) => sum + bytes.length, 0),
          )
        }
        batches.close()
        // What was read stays, although others get memory now.
        new KeptBatches(free, 1 << 20).add({ first: 1, bytes: Buffer.alloc(60_000), ends: [60_000], at: 0 })
        for (const { batch, was } of read) assert.equal(String(batch.bytes), was)
      }),
      { numRuns: 200 },
    )
  })

  test('keep their numbers if some are missing between them', () => {
    const batches = new KeptBatches(new FreeBlocks(0), 1 << 20)
    for (const first of [1, 10]) batches.add({ first, bytes: Buffer.from('event'), ends: [5], at: 0 })
    const firsts = (after: number) => batches.following(after, 1000).map((batch) => batch.first)
    assert.deepEqual([firsts(0), firsts(1), firsts(9), firsts(10)], [[1, 10], [10], [10], []])
  })

  test('cost what their memory and their numbers take, and nothing once all are dropped', () => {
    const batches = new KeptBatches(new FreeBlocks(0), 1 << 20)
    const add = (number: number, size: number) =>
      batches.add({ first: number, bytes: Buffer.alloc(size), ends: [size], at: 0 })
    add(1, 600)
    assert.equal(batches.bytes, 500 + 1024 + 36 + 12)
    add(2, 400)
    assert.equal(batches.bytes, 500 + 1024 + 2 * (36 + 12))
    add(3, 60_000)
    batches.dropFirst()
    batches.dropFirst()
    assert.equal(batches.bytes, 500 + 68 * 1024 + 36 + 12)
  })
})

describe('blocks of memory', () => {
  const block = (size: number) => Buffer.allocUnsafeSlow(size)

  test('are given out again, by their size', () => {
    const free = new FreeBlocks(100_000)
    const [small, large] = [block(1024), block(68 * 1024)]
    free.give(small)
    free.give(large)
    assert.equal(free.take(40_000), large)
    assert.equal(free.take(1000), small)
    assert.notEqual(free.take(1000), small)
    assert.equal(free.take(1025).length, 2048)
    assert.equal(free.take(500_000).length, 500_000)
  })

  test('of a size that is not wanted any more make room for others', () => {
    const free = new FreeBlocks(80 * 1024)
    for (let count = 0; count < 80; count++) free.give(block(1024))
    free.take(60_000)
    const large = block(68 * 1024)
    free.give(large)
    free.give(block(68 * 1024))
    assert.equal(free.take(60_000), large)
  })

  test('go in the order in which their sizes were wanted last', () => {
    const free = new FreeBlocks(6 * 1024)
    const [wanted, other] = [block(1024), block(2048)]
    free.give(wanted)
    free.give(other)
    free.give(free.take(1024))
    // One of the two has to go.
    free.give(block(4096))
    assert.deepEqual([free.take(2048) === other, free.take(1024) === wanted], [false, true])
  })
})
