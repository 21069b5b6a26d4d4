import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { installedCodec } from '../../lib/framing/aws-codec.js'
import { AwsEventStreamFramer, awsEventStream } from '../../lib/framing/aws-event-stream.js'
import type { Framer, Message } from '../../lib/framing/index.js'
import { piecesOf } from '../support/bytes.js'
import { awsEvent, awsMessage } from './bodies.js'
import { framesOf } from './plan.js'

const LARGE = 1024 * 1024
const codec = installedCodec()!
const event = awsEvent('{"delta":{"text":"ß🦆"}}')

/** With the lengths that it says it has, and a prelude whose checksum is right. */
function prelude(length: number, headers: number): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt32BE(length, 0)
  bytes.writeUInt32BE(headers, 4)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8)
  return bytes
}

const kinds: [name: string, create: (maxEventBytes: number) => Framer][] = [
  ['with zlib.crc32', (max) => new AwsEventStreamFramer(max, codec)],
  // As in Node before 20.15: the codec checks.
  ['without', (max) => new AwsEventStreamFramer(max, codec, null)],
]

for (const [name, create] of kinds) {
  describe(`AwsEventStreamFramer ${name}`, () => {
    test('messages go out whole, each as soon as it is complete', () => {
      const framer = create(LARGE)
      const body = Buffer.concat([event, event, event])
      const seen = [body.subarray(0, 5), body.subarray(5, event.length + 20), body.subarray(event.length + 20)].map(
        (chunk) => framesOf(framer, framer.push([chunk])),
      )
      assert.deepEqual(seen, [[], [event], [event, event]])
      assert.equal(framer.events, 3)
      assert.deepEqual(framer.last(), event)
      assert.equal(framer.end(), undefined)
      assert.equal(framer.corrupt, undefined)
    })

    test('the smallest message that the specification allows passes', () => {
      const framer = create(16)
      const empty = Buffer.from('000000100000000005c248eb7d98c8ff', 'hex')
      const out = piecesOf(empty, 1).map((chunk) => framer.push([chunk]))
      assert.deepEqual(out.at(-1), empty)
      assert.equal(framer.events, 1)
    })

    test('no part of a message goes out if one byte is damaged, anywhere', () => {
      for (let at = 0; at < event.length; at++) {
        const damaged = Buffer.from(event)
        damaged[at]! ^= 1 << (at % 8)
        for (const chunks of [[damaged], piecesOf(damaged, 1)]) {
          const framer = create(LARGE)
          assert.deepEqual(framer.push([event]), event)
          const out = chunks.flatMap((chunk) => framer.push([chunk]) ?? [])
          assert.deepEqual(out, [], `byte ${at}`)
          assert.equal(framer.end(), undefined)
          // What had no checksum of its own before may seem to be long.
          assert.ok(framer.corrupt !== undefined || framer.tooLarge, `byte ${at}`)
          assert.equal(framer.events, 1)
        }
      }
    })

    test('the messages before a damaged one go out, those after it do not', () => {
      const damaged = Buffer.from(event)
      damaged[damaged.length - 1]! ^= 1
      const framer = create(LARGE)
      const out = framer.push([Buffer.concat([event, event, damaged, event])])
      assert.deepEqual(framesOf(framer, out), [event, event])
      assert.equal(framer.corrupt, 'a message of its AWS event stream is damaged')
      assert.deepEqual(framer.last(), event)
      assert.equal(framer.push([event]), undefined)
      assert.equal(framer.end(), undefined)
      assert.equal(framer.events, 2)
    })

    test('nothing after a damaged message is kept', () => {
      const damaged = Buffer.from(event)
      damaged[damaged.length - 1]! ^= 1
      const framer = create(event.length)
      framer.push([Buffer.concat([event, damaged, event, event])])
      assert.notEqual(framer.corrupt, undefined)
      assert.equal(framer.tooLarge, false)
    })

    for (const [length, headers] of [
      [0, 0],
      [15, 0],
      [16, 1],
      [100, 85],
      [100, 0xffffffff],
    ] as const) {
      test(`${length} bytes with ${headers} bytes of headers is rejected`, () => {
        const framer = create(LARGE)
        assert.equal(framer.push([Buffer.concat([prelude(length, headers), Buffer.alloc(100)])]), undefined)
        const said = `a message of its AWS event stream cannot have ${length} bytes, ${headers} of them headers`
        assert.equal(framer.corrupt, said)
        assert.equal(framer.tooLarge, false)
      })
    }

    test('a message that will be too large is rejected by its prelude', () => {
      const framer = create(event.length - 1)
      framer.push([event.subarray(0, 11)])
      assert.equal(framer.tooLarge, false)
      framer.push([event.subarray(11, 12)])
      assert.equal(framer.tooLarge, true)
      assert.equal(framer.corrupt, undefined)
      assert.equal(framer.push([event.subarray(12)]), undefined)
      assert.equal(framer.end(), undefined)
    })

    test('maxEventBytes limits each message', () => {
      const framer = create(event.length)
      assert.equal(framer.push([Buffer.concat([event, event])])?.length, 2 * event.length)
      assert.equal(framer.tooLarge, false)
    })

    test('an incomplete message does not go out', () => {
      for (let at = 1; at < event.length; at++) {
        const framer = create(LARGE)
        assert.deepEqual(framer.push([Buffer.concat([event, event.subarray(0, at)])]), event)
        assert.equal(framer.corrupt, undefined)
        assert.equal(framer.end(), undefined)
        assert.equal(framer.corrupt, 'it ended in the middle of a message of its AWS event stream')
        assert.deepEqual([framer.events, framer.ends], [1, []])
      }
    })
  })
}

test("a prelude's checksum is verified before its length is used", () => {
  const nonsense = prelude(0x7fffffff, 10)
  nonsense[0]! ^= 0x40
  const framer = new AwsEventStreamFramer(Number.POSITIVE_INFINITY, codec)
  framer.push([nonsense.subarray(0, 11)])
  assert.equal(framer.corrupt, undefined)
  framer.push([nonsense.subarray(11)])
  assert.equal(framer.corrupt, 'the prelude of a message of its AWS event stream is damaged')
})

describe('reading a message', () => {
  test('is not done if it has more bytes of headers than any provider sends: decoding them takes long', () => {
    const withHeaders = (count: number) => {
      const some = Array.from({ length: count }, (_, at) => [`x-${at}`, 'x'.repeat(100)])
      return awsMessage({ ':message-type': 'event', ...Object.fromEntries(some) }, '{}')
    }
    assert.equal(awsEventStream.read(withHeaders(100))?.data, '{}')
    assert.equal(awsEventStream.read(withHeaders(200)), undefined)
  })

  const data = '{"message":"ß"}'
  const table: [name: string, headers: Record<string, string>, body: string, message: Message][] = [
    ['an event', { ':message-type': 'event', ':event-type': 'chunk' }, data, { event: 'chunk', data }],
    ['an event without payload', { ':message-type': 'event', ':event-type': 'x' }, '', { event: 'x', data: '' }],
    [
      'an exception',
      { ':message-type': 'exception', ':exception-type': 'throttlingException', ':event-type': 'x' },
      data,
      { event: 'throttlingException', data, isError: true },
    ],
    [
      'an error, which has no payload',
      { ':message-type': 'error', ':error-code': 'InternalError', ':error-message': 'It "broke"' },
      '',
      { event: 'InternalError', data: '{"code":"InternalError","message":"It \\"broke\\""}', isError: true },
    ],
    [
      'an error with a payload',
      { ':message-type': 'error', ':error-code': 'x' },
      data,
      { event: 'x', data, isError: true },
    ],
    ['no headers', {}, data, { data }],
  ]
  for (const [name, headers, body, message] of table) {
    test(name, () => {
      const read = awsEventStream.read(awsMessage(headers, body))
      assert.deepEqual(JSON.parse(JSON.stringify(read)), message)
    })
  }

  test('ignores headers of other types', () => {
    const bytes = codec.encode({ headers: { ':event-type': { type: 'integer', value: 7 } }, body: Buffer.from('1') })
    assert.deepEqual(awsEventStream.read(Buffer.from(bytes)), { event: undefined, data: '1' })
  })

  test('does not read bytes that are not a message', () => {
    const damaged = Buffer.from(event)
    damaged[20]! ^= 1
    for (const bytes of [damaged, event.subarray(1), event.subarray(0, -1), Buffer.alloc(0), Buffer.from('data: x')]) {
      assert.equal(awsEventStream.read(bytes), undefined)
    }
  })

  test('does not read beyond the message if a header claims to be longer', () => {
    const headers = Buffer.from([1, 120, 7, 0xff, 0xff])
    const head = prelude(16 + headers.length, headers.length)
    const unsummed = Buffer.concat([head, headers])
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32(unsummed))
    const around = Buffer.concat([unsummed, sum, Buffer.alloc(70_000, 'secret')])
    assert.equal(awsEventStream.read(around.subarray(0, 16 + headers.length)), undefined)
  })
})

describe('writing a message', () => {
  const headersOf = (frame: Buffer) =>
    Object.fromEntries(Object.entries(codec.decode(frame).headers).map(([name, { value }]) => [name, value]))

  test('encodes an event', () => {
    assert.deepEqual(headersOf(awsEventStream.write({ event: 'chunk', data: '{}' })), {
      ':message-type': 'event',
      ':event-type': 'chunk',
      ':content-type': 'application/json',
    })
  })

  test('encodes an error', () => {
    assert.deepEqual(headersOf(awsEventStream.write({ data: '{}', isError: true })), {
      ':message-type': 'exception',
      ':exception-type': 'internalServerException',
      ':content-type': 'application/json',
    })
    const named = awsEventStream.write({ event: 'modelTimeoutException', data: '{}', isError: true })
    assert.equal(headersOf(named)[':exception-type'], 'modelTimeoutException')
  })

  test('produces messages that pass and can be read', () => {
    const text = fc.string({ unit: 'grapheme' })
    const messages = fc.record(
      { event: text, data: text, isError: fc.constant(true) },
      { requiredKeys: ['event', 'data'] },
    )
    fc.assert(
      fc.property(messages, (message) => {
        const frame = awsEventStream.write(message)
        assert.deepEqual(awsEventStream.read(frame), { ...message })
        assert.deepEqual(awsEventStream.createFramer(LARGE).push([frame]), frame)
      }),
    )
  })
})
