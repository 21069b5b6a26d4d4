import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { installedCodec } from '../../lib/framing/aws-codec.js'
import { AwsEventStreamFramer } from '../../lib/framing/aws-event-stream.js'
import { type Framing, jsonArray, sse } from '../../lib/framing/index.js'
import { ndjson } from '../../lib/framing/ndjson.js'
import { PendingBytes } from '../../lib/framing/pending-bytes.js'
import { sizeOf } from '../../lib/util/size-of.js'
import { piecesOf } from '../support/bytes.js'
import { awsEvent } from './bodies.js'
import { work } from './work.js'

const SIZE = 10_000_000
/** Longer frames are not joined. */
const SHORT = 256 * 1024
// What is longer is not copied where it is held: who looks at it again sees what has become of it.
const NOT_COPIED = 5000

describe('one frame of 10 MB in chunks of 100 bytes is not joined, and each byte is searched a few times at most', () => {
  const bodies: [name: string, framing: Framing, body: string][] = [
    ['SSE, on one line', sse, `data: ${'x'.repeat(SIZE)}\n\n`],
    ['SSE, on lines of 50 bytes', sse, `${`data: ${'x'.repeat(43)}\n`.repeat(SIZE / 50)}\n`],
    ['SSE, on lines that end with CRLF', sse, `${`data: ${'x'.repeat(42)}\r\n`.repeat(SIZE / 50)}\r\n`],
    ['NDJSON', ndjson, `"${'x'.repeat(SIZE)}"\n`],
    ['NDJSON, after white space', ndjson, `${' '.repeat(SIZE)}1\n`],
    ['JSON array, one string', jsonArray, `["${'x'.repeat(SIZE)}"`],
    ['JSON array, a string of quotes', jsonArray, `["${'\\"'.repeat(SIZE / 2)}"`],
    ['JSON array, a string of backslashes', jsonArray, `["${'\\'.repeat(SIZE)}"`],
    ['JSON array, short strings', jsonArray, `[{"a":[${'"0123456",'.repeat(SIZE / 10)}"x"]}`],
    ['JSON array, open brackets and closed ones', jsonArray, `[${'['.repeat(SIZE / 2)}${']'.repeat(SIZE / 2)}`],
  ]
  for (const [name, framing, body] of bodies) {
    test(name, () => {
      const bytes = Buffer.from(body)
      const chunks = piecesOf(bytes, 100)
      const framer = framing.createFramer(2 * SIZE)
      const out: Buffer[] = []
      const { joined, searched } = work(() => {
        for (const chunk of chunks) {
          const whole = framer.push([chunk])
          if (whole) out.push(...framer.prefix!, whole)
        }
      })
      assert.ok(bytes.equals(Buffer.concat(out)))
      assert.equal(framer.events, 1)
      assert.ok(joined <= SHORT, `${joined} bytes were joined`)
      assert.ok(searched <= 5 * bytes.length, `${searched} bytes were searched`)
    })
  }

  test('AWS: each byte is checksummed once, except in preludes', () => {
    const bytes = awsEvent('x'.repeat(SIZE))
    const chunks = piecesOf(bytes, 100)
    let summed = 0
    const framer = new AwsEventStreamFramer(2 * SIZE, installedCodec()!, (some, before) => {
      summed += some.length
      return crc32(some, before)
    })
    let out: Buffer | undefined
    const { joined } = work(() => {
      for (const chunk of chunks) out = framer.push([chunk])
    })
    assert.ok(out && bytes.equals(Buffer.concat([...framer.prefix, out])))
    assert.ok(joined <= SHORT, `${joined} bytes were joined`)
    assert.ok(summed <= bytes.length + 100, `${summed} bytes were summed`)
  })

  test('many small frames in one chunk: each byte is searched a few times at most', () => {
    for (const [framing, frame] of [
      [sse, 'data: 0123456789\n\n'],
      [sse, 'data: 0123456789\r\n\r\n'],
      [ndjson, '"0123456789"\n'],
      [jsonArray, ',["0123456789"]'],
    ] as const) {
      const bytes = Buffer.from(frame.repeat(10_000))
      const framer = framing.createFramer(100)
      const { joined, searched } = work(() => framer.push([bytes]))
      assert.equal(framer.events, 10_000)
      assert.equal(joined, 0)
      assert.ok(searched <= 5 * bytes.length, `${framing.name}: ${searched} bytes were searched`)
    }
  })
})

describe('bytes are not scanned twice', () => {
  const texts: [framing: Framing, text: string, end: string][] = [
    [sse, 'data: xxxx', '\n\n'],
    [sse, 'data: x\r\ndata: y', '\n\n'],
    [sse, 'data: x\ndata: y', '\n\n'],
    [ndjson, 'xxxxxxxxxx', '\n'],
    [jsonArray, '"xxxxxxxx",', ']]'],
  ]
  for (const [framing, text, end] of texts) {
    test(`${framing.name}: ${JSON.stringify(text)}`, () => {
      const framer = framing.createFramer(SIZE)
      const long = text.repeat(NOT_COPIED / text.length)
      if (framing === jsonArray) framer.push([Buffer.from('[[')])
      for (let at = 0; at < 100; at++) {
        const chunk = Buffer.from(long)
        assert.equal(framer.push([chunk]), undefined)
        // Whoever looks again finds nothing but ends.
        chunk.fill(end[0]!)
      }
      assert.equal(framer.events, 0)
      const out = framer.push([Buffer.from(end)])!
      assert.ok(sizeOf([...framer.prefix!, out]) > 100 * long.length)
      assert.equal(framer.events, 1)
    })
  }
})

describe('PendingBytes', () => {
  test('joins 10 MB in pieces of 100 bytes once', () => {
    const bytes = Buffer.alloc(SIZE, 'abc')
    const pieces = piecesOf(bytes, 100)
    const held = new PendingBytes()
    let whole: Buffer | undefined
    const { joined } = work(() => {
      for (const piece of pieces) held.append(held.joinWith([piece]))
      whole = held.concatWith(Buffer.from('!'))
    })
    assert.ok(whole!.subarray(0, SIZE).equals(bytes))
    assert.equal(whole!.length, SIZE + 1)
    assert.equal(held.bytes, 0)
    assert.ok(joined <= 2 * SIZE, `${joined} bytes were copied`)
  })

  test('stores 4 MB in pieces of one byte in few buffers', () => {
    const held = new PendingBytes()
    for (let at = 0; at < 4_000_000; at++) held.append(Buffer.from('a'))
    assert.equal(held.bytes, 4_000_000)
    assert.ok(held.pieces.length < 100, `${held.pieces.length}`)
    const memory = new Set(held.pieces.map(({ buffer }) => buffer))
    const bytes = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0)
    assert.ok(bytes < 5_000_000, `${bytes} bytes`)
    assert.equal(Buffer.concat(held.drain()).toString(), 'a'.repeat(4_000_000))
    assert.deepEqual([held.bytes, held.drain()], [0, []])
  })

  test('copies a small piece, so that it keeps no large buffer alive', () => {
    const held = new PendingBytes()
    const parent = Buffer.alloc(1_000_000, 'a')
    held.append(parent.subarray(0, 4096))
    parent.fill('b')
    assert.equal(String(held.concatWith(Buffer.alloc(0))), 'a'.repeat(4096))
  })

  test('does not copy a large piece', () => {
    const held = new PendingBytes()
    const parent = Buffer.alloc(1_000_000, 'a')
    held.append(parent.subarray(0, 4097))
    parent.fill('b')
    assert.equal(String(held.concatWith(Buffer.alloc(0))), 'b'.repeat(4097))
  })

  test('prepends pending bytes if that copies no more than has arrived', () => {
    const held = new PendingBytes()
    held.append(Buffer.from('ab'))
    assert.equal(String(held.joinWith([Buffer.from('c')])), 'c')
    assert.equal(held.bytes, 2)
    assert.equal(String(held.joinWith([Buffer.from('c'), Buffer.from('d')])), 'abcd')
    assert.equal(held.bytes, 0)
  })

  test('prepends pending bytes if the caller asks for it', () => {
    const held = new PendingBytes()
    held.append(Buffer.from('ab'))
    assert.equal(String(held.joinAllWith([Buffer.from('c')])), 'abc')
    assert.equal(held.bytes, 0)
    assert.equal(String(held.joinAllWith([Buffer.from('c'), Buffer.from('d')])), 'cd')
  })

  test('returns a single chunk as it is if nothing is pending', () => {
    const held = new PendingBytes()
    const chunk = Buffer.from('a')
    assert.equal(held.joinWith([chunk]), chunk)
    assert.equal(held.joinAllWith([chunk]), chunk)
    assert.equal(held.concatWith(chunk), chunk)
  })
})
