import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { framingFor } from '../../lib/framing/index.js'
import { copyWithHeadroom, prependInPlace } from '../../lib/util/headroom.js'

test("prependInPlace writes into the chunk's own memory, and the chunk keeps its content", () => {
  const given = Buffer.from('chunk')
  const chunk = copyWithHeadroom(given)
  given.fill('x')
  const whole = prependInPlace([Buffer.from('a'), Buffer.from('bc')], 3, chunk)
  assert.equal(String(whole), 'abcchunk')
  assert.equal(whole?.buffer, chunk.buffer)
  assert.equal(String(chunk), 'chunk')
})

test('headroom is used once', () => {
  const chunk = copyWithHeadroom(Buffer.from('chunk'))
  const first = prependInPlace([Buffer.from('a')], 1, chunk)
  assert.equal(prependInPlace([Buffer.from('b')], 1, chunk), undefined)
  assert.equal(String(first), 'achunk')
})

test('nothing is prepended beyond the headroom', () => {
  const room = 4096
  const chunk = copyWithHeadroom(Buffer.from('chunk'))
  assert.equal(prependInPlace([Buffer.alloc(room + 1)], room + 1, chunk), undefined)
  assert.equal(prependInPlace([Buffer.alloc(room)], room, chunk)?.length, room + 5)
  const [first, second] = [Buffer.from('first'), Buffer.from('second')]
  assert.equal(prependInPlace([first], 5, second), undefined)
  assert.equal(prependInPlace([Buffer.from('a')], 1, copyWithHeadroom(first).subarray(1)), undefined)
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
      assert.deepEqual(framed(copyWithHeadroom), framed(Buffer.from))
    }),
  )
})
