import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PendingBytes } from '../../lib/framing/pending-bytes.js'
import { copyChunk, takeBack } from '../../lib/util/chunk-memory.js'

for (const [what, size] of [
  ['a small beginning of a frame, which is copied', 4096],
  ['a large one, which keeps its memory', 4097],
] as const) {
  test(`what is pending stays when the memory of its chunk is taken back: ${what}`, () => {
    const chunk = copyChunk(Buffer.alloc(60 * 1024, 'c'))
    const pending = new PendingBytes()
    pending.append(chunk.subarray(chunk.length - size))
    takeBack(chunk.subarray(0, chunk.length - size), size)
    copyChunk(Buffer.alloc(60 * 1024, 'd'))
    assert.equal(String(pending.concatWith(Buffer.from('end'))), `${'c'.repeat(size)}end`)
  })
}
