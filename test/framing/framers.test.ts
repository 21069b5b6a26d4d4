import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import {
  asDataEvent,
  type Framing,
  framingFor,
  jsonArray,
  MAX_ENCLOSED_BYTES,
  PassThroughFramer,
  sse,
  WholeBodyAsEvent,
} from '../../lib/framing/index.js'
import { ndjson } from '../../lib/framing/ndjson.js'

const known: [type: string, framing: Framing['name']][] = [
  ['text/event-stream', 'sse'],
  ['text/event-stream; charset=utf-8', 'sse'],
  ['text/event-stream;charset=utf-8', 'sse'],
  ['Text/Event-Stream', 'sse'],
  [' text/event-stream ', 'sse'],
  ['application/x-ndjson', 'ndjson'],
  ['application/x-ndjson; charset=utf-8', 'ndjson'],
  ['application/ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
  ['application/JSONLines', 'ndjson'],
  ['application/vnd.amazon.eventstream', 'aws-event-stream'],
]
const unknown = [
  undefined,
  '',
  'application/json',
  'application/json-seq',
  'text/plain; x=text/event-stream',
  'text/event-streams',
  'audio/mpeg',
  // Names that every object has.
  'constructor',
  'toString',
  '__proto__',
]

describe('framingFor', () => {
  for (const [type, name] of known) {
    test(`${JSON.stringify(type)} is ${name}`, () => {
      const framing = framingFor(type)
      assert.equal(framing?.name, name)
      const framer = framing?.createFramer(10)
      assert.ok(!(framer instanceof PassThroughFramer))
      assert.equal(framer?.carriesMessages, true)
    })
  }

  for (const type of unknown) {
    test(`${JSON.stringify(type)} passes unchanged`, () => {
      assert.equal(framingFor(type), undefined)
    })
  }

  test('passes maxEventBytes on', () => {
    const framer = framingFor('text/event-stream')?.createFramer(10)
    framer?.push([Buffer.from('data: 12345')])
    assert.equal(framer?.tooLarge, true)
  })
})

describe('the heartbeat of a silent connection', () => {
  test('is a comment in an event stream', () => {
    for (const framer of [sse.createFramer(10), new WholeBodyAsEvent(10, String)]) {
      assert.equal(String(framer.heartbeat), ': heartbeat\n\n')
      assert.equal(sse.read(framer.heartbeat!), undefined)
    }
  })

  test('is nothing in other framings', () => {
    const framers = [ndjson, awsEventStream, jsonArray].map((framing) => framing.createFramer(10))
    for (const framer of [...framers, new PassThroughFramer()]) assert.equal(framer.heartbeat, undefined)
  })
})

describe('PassThroughFramer', () => {
  test('passes every chunk at once, as the same object', () => {
    const framer = new PassThroughFramer()
    const chunk = Buffer.from('{"a":')
    assert.equal(framer.push([chunk]), chunk)
    assert.deepEqual(framer.ends, [chunk.length])
    assert.equal(framer.push([Buffer.alloc(0)]), undefined)
    assert.deepEqual(framer.ends, [])
    assert.equal(framer.end(), undefined)
    assert.equal(framer.last(), undefined)
    assert.deepEqual([framer.events, framer.tooLarge, framer.carriesMessages], [0, false, false])
  })
})

describe('discardLast()', () => {
  for (const [framing, whole, rest] of [
    [sse, 'data: 1\n\n', 'data: 2'],
    [ndjson, '{"a":1}\n', '{"a":'],
  ] as const) {
    test(`undoes the count of the last event: ${framing.name}`, () => {
      const framer = framing.createFramer(100)
      framer.push([Buffer.from(whole + rest)])
      assert.ok(framer.end())
      assert.equal(framer.events, 2)
      framer.discardLast()
      assert.deepEqual([framer.events, framer.ends, framer.last()], [1, [], undefined])
    })
  }

  test('does not change the count after a comment', () => {
    const framer = sse.createFramer(100)
    framer.push([Buffer.from('data: 1\n\n: a comm')])
    framer.end()
    framer.discardLast()
    assert.equal(framer.events, 1)
  })
})

describe('WholeBodyAsEvent', () => {
  test('holds the body until its end, and makes it one event', () => {
    const framer = new WholeBodyAsEvent(100, (body) => `data: ${body}\n\n`)
    assert.equal(framer.push([Buffer.from('{"a":')]), undefined)
    assert.equal(framer.push([Buffer.from('1}')]), undefined)
    assert.equal(framer.events, 0)
    assert.equal(String(framer.end()), 'data: {"a":1}\n\n')
    assert.equal(framer.events, 1)
    assert.deepEqual(framer.ends, ['data: {"a":1}\n\n'.length])
    assert.equal(framer.tooLarge, false)
    assert.equal(framer.carriesMessages, true)
    framer.discardLast()
    assert.deepEqual([framer.events, framer.ends], [0, []])
  })

  test('applies maxBytes over all chunks', () => {
    const framer = new WholeBodyAsEvent(4, String)
    framer.push([Buffer.from('123')])
    framer.push([Buffer.from('4')])
    assert.equal(framer.tooLarge, false)
    framer.push([Buffer.from('5')])
    assert.equal(framer.tooLarge, true)
  })

  test('makes no event of a body beyond 1 MiB, whatever maxEventBytes is', () => {
    const framer = new WholeBodyAsEvent(Number.POSITIVE_INFINITY, String)
    framer.push([Buffer.alloc(MAX_ENCLOSED_BYTES)])
    assert.equal(framer.tooLarge, false)
    framer.push([Buffer.from('x')])
    assert.equal(framer.tooLarge, true)
  })

  test('joins a character that was split between chunks', () => {
    const framer = new WholeBodyAsEvent(100, asDataEvent)
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
      createParser({ onEvent: (event) => void events.push(event) }).feed(String(asDataEvent(Buffer.from(body))))
      assert.deepEqual(
        events.map(({ event, data }) => ({ event, data })),
        [{ event: undefined, data }],
      )
    })
  }
})
