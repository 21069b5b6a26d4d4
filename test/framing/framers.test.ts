import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { asDataEvent, EnclosingFramer, framerFor } from '../../lib/framing/index.js'
import { NoFramer } from '../../lib/framing/none.js'
import { SseFramer } from '../../lib/framing/sse.js'

describe('framerFor', () => {
  for (const type of [
    'text/event-stream',
    'text/event-stream; charset=utf-8',
    'text/event-stream;charset=utf-8',
    'Text/Event-Stream',
    ' text/event-stream ',
  ]) {
    test(`${JSON.stringify(type)} is cut into events`, () => {
      const framer = framerFor(type, 10)
      assert.ok(framer instanceof SseFramer)
      assert.equal(framer.carriesMessages, true)
    })
  }

  for (const type of [
    undefined,
    '',
    'application/json',
    'application/x-ndjson',
    'text/plain; x=text/event-stream',
    'text/event-streams',
    'audio/mpeg',
    // Names that every object has.
    'constructor',
    'toString',
    '__proto__',
  ]) {
    test(`${JSON.stringify(type)} passes as it is`, () => {
      const framer = framerFor(type, 10)
      assert.ok(framer instanceof NoFramer)
      assert.equal(framer.carriesMessages, false)
    })
  }

  test('hands maxEventBytes on', () => {
    const framer = framerFor('text/event-stream', 10)
    framer.push([Buffer.from('data: 12345')])
    assert.equal(framer.tooLarge, true)
  })
})

describe('NoFramer', () => {
  test('every chunk passes at once, as the object that it is', () => {
    const framer = new NoFramer()
    const chunk = Buffer.from('{"a":')
    assert.equal(framer.push([chunk]), chunk)
    assert.equal(framer.push([Buffer.alloc(0)]), undefined)
    assert.equal(framer.end(), undefined)
    assert.equal(framer.last(), undefined)
    assert.deepEqual([framer.events, framer.tooLarge], [0, false])
  })
})

describe('EnclosingFramer', () => {
  test('holds the body until its end, and makes one event of it', () => {
    const framer = new EnclosingFramer(100, (body) => `data: ${body}\n\n`)
    assert.equal(framer.push([Buffer.from('{"a":')]), undefined)
    assert.equal(framer.push([Buffer.from('1}')]), undefined)
    assert.equal(framer.events, 0)
    assert.equal(String(framer.end()), 'data: {"a":1}\n\n')
    assert.equal(framer.events, 1)
    assert.equal(framer.tooLarge, false)
    assert.equal(framer.carriesMessages, true)
  })

  test('maxBytes is a bound, over all chunks', () => {
    const framer = new EnclosingFramer(4, String)
    framer.push([Buffer.from('123')])
    framer.push([Buffer.from('4')])
    assert.equal(framer.tooLarge, false)
    framer.push([Buffer.from('5')])
    assert.equal(framer.tooLarge, true)
  })

  test('a character cut in its middle is whole in the event', () => {
    const framer = new EnclosingFramer(100, asDataEvent)
    const body = Buffer.from('"🦆"')
    framer.push([body.subarray(0, 3)])
    framer.push([body.subarray(3)])
    assert.equal(String(framer.end()), 'data: "🦆"\n\n')
  })
})

describe('asDataEvent', () => {
  for (const [name, body, data] of [
    ['one line', '{"a":1}', '{"a":1}'],
    ['pretty JSON', '{\n  "a": 1\n}\n', '{\n  "a": 1\n}'],
    ['CRLF', '{\r\n"a":1\r\n}', '{\n"a":1\n}'],
    ['CR', 'a\rb', 'a\nb'],
    ['a blank line in the middle', 'a\n\nb', 'a\n\nb'],
    ['what looks like fields', 'event: x\nid: 1', 'event: x\nid: 1'],
    ['white space around it', '\n  x  \n\n', 'x'],
  ] as const) {
    test(name, () => {
      const events: EventSourceMessage[] = []
      createParser({ onEvent: (event) => void events.push(event) }).feed(asDataEvent(Buffer.from(body)))
      assert.deepEqual(
        events.map(({ event, data }) => ({ event, data })),
        [{ event: undefined, data }],
      )
    })
  }
})
