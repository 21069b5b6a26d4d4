import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ParseError } from 'eventsource-parser'
import fc from 'fast-check'
import { type Message, sse } from '../../lib/framing/index.js'
import { readSse, writeSse } from '../../lib/framing/sse-message.js'

/** What a frame carries, without what it has none of. */
function read(frame: string): Message | undefined {
  const message = readSse(Buffer.from(frame))
  return message && JSON.parse(JSON.stringify(message))
}

describe('reading an event', () => {
  const table: [name: string, frame: string, message: Message | undefined][] = [
    ['data', 'data: {"a":1}\n\n', { data: '{"a":1}' }],
    ['no space after the colon', 'data:x\n\n', { data: 'x' }],
    ['several lines', 'data: a\ndata: b\n\n', { data: 'a\nb' }],
    [
      'all fields',
      'id: 7\nevent: message_start\nretry: 5\ndata: a\n\n',
      { event: 'message_start', id: '7', data: 'a' },
    ],
    ['data that is empty', 'data\n\n', { data: '' }],
    ['CRLF', 'data: a\r\n\r\n', { data: 'a' }],
    ['CR', 'event: x\rdata: a\r\r', { event: 'x', data: 'a' }],
    ['after the second half of a CRLF', '\ndata: a\n\n', { data: 'a' }],
    ['lines without meaning', 'x\ndata: a\nretry: 5\nretry: y\ndatax: b\n event: c\n', { data: 'a' }],
    ['a comment in it', ': x\ndata: a\n\n', { data: 'a' }],
    ['a byte order mark', '\uFEFFdata: a\n\n', { data: 'a' }],
    ['without its end', 'data: a', { data: 'a' }],
    ['with half of its end', 'data: a\n', { data: 'a' }],
    ['a comment', ': ping\n\n', undefined],
    ['a blank line', '\n', undefined],
    ['a lone retry', 'retry: 5\n\n', undefined],
    ['a name without data', 'event: x\n\n', undefined],
    ['nothing', '', undefined],
  ]
  for (const [name, frame, message] of table) {
    test(name, () => {
      assert.deepEqual(read(frame), message)
    })
  }

  test('reads name, id, and data of several lines', () => {
    assert.deepEqual(readSse(Buffer.from('id: 1\nevent: x\ndata: a\ndata: b\n\n')), {
      id: '1',
      event: 'x',
      data: 'a\nb',
    })
  })

  test('keeps nothing of one frame for the next', () => {
    read('event: x\nid: 1\ndata: a')
    read('event: y\nid: 2')
    read('data: a\n\nevent: z\nid')
    assert.deepEqual(read('data: b\n\n'), { data: 'b' })
    assert.equal(read(': ping\n\n'), undefined)
  })
})

describe('writing an event', () => {
  test('produces what readers expect', () => {
    assert.equal(writeSse({ data: '{"a":1}' }), 'data: {"a":1}\n\n')
    assert.equal(writeSse({ event: 'x', id: '7', data: 'a' }), 'event: x\nid: 7\ndata: a\n\n')
    assert.equal(writeSse({ data: 'a\nb\r\nc\rd' }), 'data: a\ndata: b\ndata: c\ndata: d\n\n')
    assert.equal(writeSse({ data: '' }), 'data: \n\n')
  })

  test('removes line ends from a name, which would start another field', () => {
    assert.deepEqual(read(writeSse({ event: 'x\ndata: y', id: '1\r\n\r\n2', data: 'a' })), {
      event: 'x data: y',
      id: '1 2',
      data: 'a',
    })
  })

  test('produces one frame, which reads back as what was written', () => {
    const name = fc.string({ unit: 'grapheme' }).filter((text) => !/[\r\n\0]/.test(text) && text !== '')
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.array(fc.constantFrom('\n', ' ', ':', 'data', 'x')).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(fc.record({ event: name, id: name, data: text }, { requiredKeys: ['data'] }), (message) => {
        const frame = sse.write(message)
        assert.deepEqual(read(String(frame)), { ...message, data: message.data.replace(/\r\n?/g, '\n') })
        const framer = sse.createFramer(Number.POSITIVE_INFINITY)
        assert.deepEqual(framer.push([frame]), frame)
        assert.deepEqual([framer.events, framer.ends], [1, [frame.length]])
      }),
    )
  })
})

test('an event of many lines is read in linear time, even if it contains a CR', () => {
  const lines = 200_000
  const event = readSse(Buffer.from(`${'data:\n'.repeat(lines)}\r\n`))
  assert.equal(event?.data, '\n'.repeat(lines - 1))
})

test('lines that are not fields create no parser errors, which would cost a stack trace each', () => {
  let made = 0
  class Counted extends Error {
    constructor(message?: string) {
      super(message)
      made++
    }
  }
  Object.setPrototypeOf(ParseError, Counted)
  try {
    assert.equal(readSse(Buffer.from(`data: a\n${'x\nretry: y\n'.repeat(1000)}\n`))?.data, 'a')
  } finally {
    Object.setPrototypeOf(ParseError, Error)
  }
  assert.equal(made, 0)
})
