import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EntryMemory, FreeBlocks } from '../../lib/journal/entry-memory.js'
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
    const memory = new EntryMemory(new FreeBlocks(0), 1 << 20)
    const events = prependInPlace([Buffer.from('id')], 2, copyChunk(Buffer.alloc(size, 'e')))!
    const kept = memory.keep(events)
    takeBack(events, 0)
    assert.equal(String(kept), `id${'e'.repeat(size)}`)
  })
}
