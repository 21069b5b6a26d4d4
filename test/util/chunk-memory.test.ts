import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { framingFor } from '../../lib/framing/index.js'
import { copyChunk, joinChunks, prependInPlace, retain, takeBack } from '../../lib/util/chunk-memory.js'

test("prependInPlace writes into the chunk's own memory, and the chunk keeps its content", () => {
  const given = Buffer.from('chunk')
  const chunk = copyChunk(given)
  given.fill('x')
  const whole = prependInPlace([Buffer.from('a'), Buffer.from('bc')], 3, chunk)
  assert.equal(String(whole), 'abcchunk')
  assert.equal(whole?.buffer, chunk.buffer)
  assert.equal(String(chunk), 'chunk')
})

test('headroom is used once', () => {
  const chunk = copyChunk(Buffer.from('chunk'))
  const first = prependInPlace([Buffer.from('a')], 1, chunk)
  assert.equal(prependInPlace([Buffer.from('b')], 1, chunk), undefined)
  assert.equal(String(first), 'achunk')
})

test('nothing is prepended beyond the headroom', () => {
  const room = 4096
  const chunk = copyChunk(Buffer.from('chunk'))
  assert.equal(prependInPlace([Buffer.alloc(room + 1)], room + 1, chunk), undefined)
  assert.equal(prependInPlace([Buffer.alloc(room)], room, chunk)?.length, room + 5)
  const [first, second] = [Buffer.from('first'), Buffer.from('second')]
  assert.equal(prependInPlace([first], 5, second), undefined)
  assert.equal(prependInPlace([Buffer.from('a')], 1, copyChunk(first).subarray(1)), undefined)
})

test('framing gives the same result with and without headroom', () => {
  const line = fc.constantFrom('data: a', 'data: bcd', ': comment', 'event: e', '', 'id: é')
  const body = fc.array(line, { maxLength: 40 }).map((lines) => Buffer.from(lines.map((each) => `${each}\n`).join('')))
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 })
  fc.assert(
    fc.property(body, sizes, (bytes, cuts) => {
      const framed = (chunkOf: (part: Buffer) => Buffer) => {
        const framer = framingFor('text/event-stream')!.createFramer(1000)
        const out: string[] = []
        for (let at = 0, cut = 0; at < bytes.length; cut++) {
          const end = at + cuts[cut % cuts.length]!
          const frames = framer.push([chunkOf(bytes.subarray(at, end))])
          // Copied at once: what goes out must not change behind anybody's back.
          out.push(`${frames} ${framer.ends} ${framer.last()}`)
          at = end
        }
        return [...out, String(framer.end()), framer.events]
      }
      assert.deepEqual(framed(copyChunk), framed(Buffer.from))
    }),
  )
})

describe('the memory of a chunk', () => {
  const read = (fill: string) => Buffer.alloc(60 * 1024, fill)

  test('is used again once it is taken back, and what refers to it becomes empty', () => {
    const first = copyChunk(read('a'))
    const frames = first.subarray(0, 59 * 1024)
    takeBack(frames, 1024)
    assert.deepEqual([first.length, frames.length, first.buffer.byteLength], [0, 0, 0])
    const second = copyChunk(read('b'))
    assert.equal(second.compare(read('b')), 0)
    assert.equal(first.length, 0)
  })

  test('has its headroom again', () => {
    const first = copyChunk(read('a'))
    takeBack(prependInPlace([Buffer.from('before')], 6, first)!, 0)
    const second = copyChunk(read('b'))
    assert.equal(String(prependInPlace([Buffer.from('before')], 6, second)!.subarray(0, 8)), 'beforebb')
  })

  test('stays if there is more behind what was sent, or a part is kept', () => {
    const split = copyChunk(read('a'))
    takeBack(split.subarray(0, 1024), 1024)
    takeBack(Buffer.from(split), 0)
    assert.equal(split.compare(read('a')), 0)

    const kept = copyChunk(read('b'))
    retain(kept.subarray(5, 10))
    takeBack(kept, 0)
    assert.equal(kept.compare(read('b')), 0)
  })

  for (const [what, clone] of [
    ['no structuredClone', undefined],
    ['one that goes through JSON', (value: unknown) => JSON.parse(JSON.stringify(value))],
    ['one that copies', (value: ArrayBuffer) => value.slice(0)],
  ] as const) {
    test(`stays if nothing can take it: some environments of tests have ${what}`, (t) => {
      const { prototype } = ArrayBuffer as unknown as { prototype: { transfer?: unknown } }
      const { structuredClone } = globalThis
      const { transfer } = prototype
      t.after(() => {
        globalThis.structuredClone = structuredClone
        if (transfer) prototype.transfer = transfer
      })
      Reflect.deleteProperty(prototype, 'transfer')
      if (clone) globalThis.structuredClone = clone as typeof structuredClone
      else Reflect.deleteProperty(globalThis, 'structuredClone')
      const chunk = copyChunk(read('a'))
      takeBack(chunk, 0)
      assert.equal(chunk.compare(read('a')), 0)
      assert.equal(copyChunk(read('b')).compare(read('b')), 0)
      assert.equal(chunk.compare(read('a')), 0)
    })
  }

  test('is that of one chunk at a time', () => {
    const chunks = Array.from({ length: 20 }, (_, index) => copyChunk(read(String(index % 10))))
    for (const chunk of chunks) takeBack(chunk, 0)
    const memories = new Set(chunks.map((_, index) => copyChunk(read(String(index))).buffer))
    assert.equal(memories.size, chunks.length)
  })

  test('of two reads that were joined is used again as well', () => {
    const size = 80_000
    const first = copyChunk(Buffer.alloc(size, 'a'))
    takeBack(first, 0)
    assert.equal(first.length, 0)
    assert.equal(copyChunk(Buffer.alloc(2 * size - 40_000, 'b')).buffer.byteLength, 4096 + 128 * 1024)
  })

  test('that waits to be used again has a bound', () => {
    const chunks = Array.from({ length: 100 }, () => copyChunk(read('a')))
    for (const chunk of chunks) takeBack(chunk, 0)
    const again = chunks.map(() => copyChunk(read('b')))
    const kept = chunks.filter(({ length }) => length === 0).length
    const wanted = Math.floor((2 * 1024 * 1024) / (68 * 1024)) + 1
    // From Node 22 on, memory that is not kept is given back at once.
    assert.ok(kept === wanted || (kept === chunks.length && 'transfer' in ArrayBuffer.prototype))
    assert.equal(new Set(again.map(({ buffer }) => buffer)).size, again.length)
  })

  test('stays if the chunk is joined to others after its headroom was used', () => {
    const chunk = copyChunk(Buffer.alloc(64 * 1024, 'a'))
    const whole = prependInPlace([Buffer.from('before')], 6, chunk)!
    joinChunks([chunk, copyChunk(Buffer.alloc(8, 'b'))], chunk.length + 8)
    assert.equal(String(whole.subarray(0, 8)), 'beforeaa')
  })

  test('of a small or very large chunk is of its size', () => {
    for (const size of [100, 20_000, 200_000]) {
      const chunk = copyChunk(Buffer.alloc(size, 'c'))
      assert.equal(chunk.buffer.byteLength, size + 4096)
      takeBack(chunk, 0)
      assert.equal(copyChunk(Buffer.alloc(size, 'd')).buffer.byteLength, size + 4096)
    }
  })
})
