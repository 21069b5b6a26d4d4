import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ChunkJoiner } from '../../lib/upstream/chunk-joiner.js'
import { cutAt, latin1 } from '../support/bytes.js'
import { cuts, joined, plainChunk } from './chunks.js'

const chunks = fc.array(plainChunk, { maxLength: 6 }).map(joined)

/** Reads the bytes as they would come from one buffer that is overwritten, until it is over or broken. */
function readAll(bytes: Buffer, places: readonly number[]) {
  const joiner = new ChunkJoiner()
  const out: Buffer[] = []
  const pieces = cutAt(bytes, places)
  while (pieces.length > 0 && !joiner.isDone && !joiner.isMalformed) {
    const piece = Buffer.from(pieces.shift()!)
    out.push(Buffer.from(piece.subarray(0, joiner.join(piece))))
    piece.fill('?')
  }
  return { joiner, data: Buffer.concat(out), unread: Buffer.concat(pieces) }
}

/** The hexadecimal digits in front may come back in lower case. */
function withLowerSize(bytes: Buffer): string {
  return latin1(bytes)!.replace(/^[\da-f]+/i, (digits) => digits.toLowerCase())
}

/** Whether the first chunk in it is plain, or may become plain with more bytes. */
function mayBePlain(bytes: Buffer): boolean {
  const text = latin1(bytes)!
  const [, size] = /^([\da-f]{1,8})\r\n/i.exec(text) ?? []
  return size ? Number.parseInt(size, 16) > 0 : /^(?:[\da-f]{1,8}\r?)?$/i.test(text)
}

const notPlain = fc
  .oneof(
    fc.constantFrom(
      ...['0\r\n\r\n', '000\r\nx-sum: 1\r\n\r\n', '00000000\r\n\r\n', '5;name=value\r\nhello\r\n', '5 \r\nhello\r\n'],
      ...[
        '000000005\r\nhello\r\n',
        'FFFFFFFFF\r\n',
        '123456789abc',
        '\r\n',
        '\n',
        'hello',
        ' 5\r\nhello\r\n',
        '-5\r\n',
      ],
      ...[
        '5\nhello\n',
        'A\nhello',
        '5\rhello',
        'AB\r\r\n',
        '5\r5\r\n',
        '0x5\r\nhello',
        '+5\r\n',
        'G',
        '0A;',
        '5\t\r\n',
      ],
    ),
    fc.tuple(fc.stringMatching(/^[\dA-Fa-f]{0,10}\r?$/), fc.string({ minLength: 1 })).map((parts) => parts.join('')),
    fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => latin1(Buffer.from(bytes))!),
  )
  .map((text) => Buffer.from(text, 'latin1'))
  .filter((bytes) => !mayBePlain(bytes))

describe('chunks, split in any way', () => {
  test('yield the original bytes', () => {
    fc.assert(
      fc.property(chunks, cuts, ({ data, coded }, places) => {
        const { joiner, data: out } = readAll(coded, places)
        assert.equal(latin1(out), latin1(data))
        assert.equal(joiner.isDone, false)
        assert.equal(joiner.isMalformed, false)
      }),
      { numRuns: 2000 },
    )
  })

  test('end at the first chunk that is not plain, which is left unread with everything after it', () => {
    fc.assert(
      fc.property(chunks, notPlain, fc.uint8Array(), cuts, ({ data, coded }, tail, rest, places) => {
        const expected = Buffer.concat([tail, rest])
        const { joiner, data: out, unread } = readAll(Buffer.concat([coded, expected]), places)
        assert.equal(latin1(out), latin1(data))
        assert.equal(joiner.isDone, true)
        assert.equal(joiner.isMalformed, false)
        assert.equal(withLowerSize(Buffer.concat([joiner.left(), unread])), withLowerSize(expected))
      }),
      { numRuns: 3000 },
    )
  })

  test('do not end while a size line may still become plain', () => {
    fc.assert(
      fc.property(chunks, fc.stringMatching(/^[\dA-Fa-f]{1,8}\r?$/), cuts, ({ data, coded }, size, places) => {
        const { joiner, data: out } = readAll(Buffer.concat([coded, Buffer.from(size)]), places)
        assert.equal(latin1(out), latin1(data))
        assert.equal(joiner.isDone, false)
        assert.equal(joiner.isMalformed, false)
        assert.throws(() => joiner.left(), { message: 'nothing is left before it is over' })
      }),
    )
  })

  test('are malformed if no line end follows the data, which is yielded', () => {
    const noLineEnd = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 1 }).filter(([byte]) => byte !== 13),
      fc.uint8Array({ minLength: 1, maxLength: 1 }).map(([byte]) => Uint8Array.of(13, byte === 10 ? 13 : byte!)),
    )
    fc.assert(
      fc.property(chunks, plainChunk, noLineEnd, chunks, cuts, (before, last, lineEnd, after, places) => {
        const bytes = [before.coded, last.coded.subarray(0, -2), lineEnd, after.coded]
        const { joiner, data: out } = readAll(Buffer.concat(bytes), places)
        assert.equal(latin1(out), latin1(Buffer.concat([before.data, last.data])))
        assert.equal(joiner.isMalformed, true)
        assert.equal(joiner.isDone, false)
        assert.equal(joiner.join(Buffer.from(after.coded)), 0, 'and stays so')
      }),
      { numRuns: 2000 },
    )
  })
})

test('a chunk of the largest 8-digit size is only begun', () => {
  const { joiner, data } = readAll(Buffer.from('ffffffff\r\nhello'), [])
  assert.equal(latin1(data), 'hello')
  assert.equal(joiner.isDone, false)
})

describe('the work', () => {
  /** @returns how many bytes were looked at or moved for the bytes to be joined */
  function workFor(bytes: Buffer, joiner: ChunkJoiner): number {
    let work = 0
    const seen = new Proxy(bytes, {
      get(target, name) {
        if (typeof name === 'string' && /^\d+$/.test(name)) work++
        if (name === 'copyWithin') {
          return (to: number, from: number, end: number) => {
            work += end - from
            return target.copyWithin(to, from, end)
          }
        }
        if (name === 'subarray') {
          return (from: number, end = target.length) => {
            work += end - from
            return target.subarray(from, end)
          }
        }
        return Reflect.get(target, name, target)
      },
    })
    joiner.join(seen)
    return work
  }

  for (const [what, size] of [
    ['one large chunk', 20_000],
    ['many small chunks', 1],
  ] as const) {
    test(`is linear in the bytes: ${what}`, () => {
      const chunk = `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`
      const bytes = Buffer.from(`${chunk.repeat(20_000 / size)}0;${'x'.repeat(20_000)}`)
      assert.ok(workFor(Buffer.from(bytes), new ChunkJoiner()) <= 2 * bytes.length)
      const inBytes = new ChunkJoiner()
      let work = 0
      for (let at = 0; at < bytes.length && !inBytes.isDone; at++) work += workFor(bytes.subarray(at, at + 1), inBytes)
      assert.ok(work <= 2 * bytes.length)
    })
  }
})
