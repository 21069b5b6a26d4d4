import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import { type Framer, type Framing, jsonArray, sse } from '../../lib/framing/index.js'
import { ndjson } from '../../lib/framing/ndjson.js'
import { piecesOf } from '../support/bytes.js'
import { awsEvent } from './bodies.js'
import { work } from './work.js'

const TEXT = JSON.stringify({ text: 'x"\\ß🦆,[{\n'.repeat(40_000) })
const SMALL = '{"a":1}'

/** A large frame between small ones. */
const bodies: readonly (readonly [framing: Framing, frames: readonly Buffer[]])[] = [
  [sse, [SMALL, TEXT, SMALL, SMALL].map((json) => Buffer.from(`event: x\ndata: ${json}\n\n`))],
  [sse, [SMALL, TEXT, SMALL].map((json) => Buffer.from(`data: ${json}\r\n\r\n`))],
  [ndjson, [SMALL, TEXT, SMALL].map((json) => Buffer.from(`${json}\n`))],
  [awsEventStream, [SMALL, TEXT, SMALL, TEXT].map((json) => awsEvent(json))],
  [jsonArray, [`[${SMALL}`, `,\n${TEXT}`, `,\n${SMALL}`, ']'].map((part) => Buffer.from(part))],
]

/** All frames that come out, and how many bytes of them were joined with others. */
function framed(framer: Framer, chunks: readonly Buffer[]): Buffer[] {
  const frames: Buffer[] = []
  const take = (out: Buffer | undefined) => {
    let start = 0
    let ahead = framer.prefix ?? []
    assert.ok(out || ahead.length === 0)
    for (const end of framer.ends) {
      frames.push(Buffer.concat([...ahead, out!.subarray(start, end)]))
      ahead = []
      start = end
    }
  }
  for (const chunk of chunks) take(framer.push([chunk]))
  take(framer.end())
  return frames
}

describe('a frame of more than 256 KiB', () => {
  for (const [index, [framing, frames]] of bodies.entries()) {
    const body = Buffer.concat(frames)
    for (const size of [999, 4096, 65_536, 300_001]) {
      test(`goes out unchanged, ${framing.name} (${index}) in chunks of ${size} bytes`, () => {
        const framer = framing.createFramer(Number.POSITIVE_INFINITY)
        const out = framed(framer, piecesOf(body, size))
        assert.deepEqual(
          out.filter((frame) => frame.length > 2).map(({ length }) => length),
          frames.filter((frame) => frame.length > 2).map(({ length }) => length),
        )
        assert.ok(Buffer.concat(out).equals(body))
        assert.equal(framer.corrupt, undefined)
      })
    }

    test(`is not joined, ${framing.name} (${index})`, () => {
      const framer = framing.createFramer(Number.POSITIVE_INFINITY)
      const pieces = piecesOf(body, 50_000)
      const { joined } = work(() => {
        for (const piece of pieces) framer.push([piece])
      })
      assert.ok(joined <= 300_000, `${joined} bytes`)
    })
  }

  test('is exposed while it arrives, and is not available as the last event', () => {
    const framer = sse.createFramer(Number.POSITIVE_INFINITY)
    const [small, large] = bodies[0]![1] as [Buffer, Buffer]
    framer.push([small])
    assert.equal(framer.last(), small)
    framer.push([large.subarray(0, 300_000)])
    assert.ok(Buffer.concat(framer.unfinished as Buffer[]).equals(large.subarray(0, 300_000)))
    for (const piece of piecesOf(large.subarray(300_000), 100_000)) framer.push([piece])
    assert.equal(framer.last(), undefined)
    assert.deepEqual(framer.unfinished, [])
    for (const piece of piecesOf(Buffer.concat([large, small]), 100_000)) framer.push([piece])
    assert.ok(framer.last()?.equals(small))
  })

  test('goes out if the body ends without its terminator, unless it is discarded', () => {
    const framer = ndjson.createFramer(Number.POSITIVE_INFINITY)
    for (const piece of piecesOf(Buffer.from(TEXT), 60_000)) framer.push([piece])
    const out = framer.end()!
    assert.equal(String(Buffer.concat([...framer.prefix!, out])), `${TEXT}\n`)
    assert.deepEqual([framer.events, framer.ends], [1, [out.length]])
    framer.discardLast()
    assert.equal(framer.events, 0)
  })

  test('does not go out if it is an AWS message with a damaged byte', () => {
    const message = awsEvent(TEXT)
    for (const at of [20, 300_000, message.length - 5, message.length - 1]) {
      const damaged = Buffer.from(message)
      damaged[at]! ^= 1
      for (const size of [1000, 65_536, message.length - 2]) {
        const framer = awsEventStream.createFramer(Number.POSITIVE_INFINITY)
        assert.deepEqual(framed(framer, piecesOf(damaged, size)), [], `${at}, ${size}`)
        assert.equal(framer.corrupt, 'a message of its AWS event stream is damaged')
      }
    }
  })
})

describe('an AWS message with too many headers', () => {
  test('passes, but is not read', () => {
    const headers = Buffer.alloc(20_000)
    for (let at = 0; at < headers.length; at += 4) headers.set([2, 97, 98 + ((at / 4) % 20), 0], at)
    const message = awsEventStream.write({ data: SMALL })
    const long = Buffer.concat([message.subarray(0, 12), headers, message.subarray(12)])
    long.writeUInt32BE(headers.length, 4)
    assert.equal(awsEventStream.read(long), undefined)
    assert.equal(awsEventStream.read(message)?.data, SMALL)
  })
})
