import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LineSplitter } from '../../lib/client/counting-splitters.js'
import type { EventSplitter } from '../../lib/client/event-splitter.js'
import { SseSplitter } from '../../lib/client/sse-splitter.js'

const START = { epoch: undefined, n: 0 }

/** What comes out of each chunk. */
function push(splitter: EventSplitter, ...chunks: readonly string[]): string[] {
  return chunks.map((chunk) => Buffer.from(splitter.push(Buffer.from(chunk)) ?? '').toString())
}

describe('server-sent events', () => {
  test('go out with the byte that ends them, whatever ends their lines', () => {
    for (const [chunks, out] of [
      [
        ['data: a\n', '\n', 'data: b\n\nda', 'ta: c\n\n'],
        ['', 'data: a\n\n', 'data: b\n\n', 'data: c\n\n'],
      ],
      [
        ['data: a\r', '\r', 'data: b\r\r'],
        ['', 'data: a\r\r', 'data: b\r\r'],
      ],
      [
        ['data: a\r\n', '\r', '\n', 'data: b\r', '\n\r\n'],
        ['', '', 'data: a\r\n\r\n', '', 'data: b\r\n\r\n'],
      ],
      // An LF that nobody expected belongs to the line end of the event before.
      [
        ['data: a\n\r', '\n', 'data: b\n\n'],
        ['data: a\n\r', '\n', 'data: b\n\n'],
      ],
      // A CR that was expected to be half a line end, and is a whole one.
      [
        ['data: a\r\n\r', 'data: b\n\n'],
        ['', 'data: a\r\n\rdata: b\n\n'],
      ],
      // Blank lines between events.
      [
        ['\n', '\r\n', 'data: a\n\n\n'],
        ['\n', '\r\n', 'data: a\n\n\n'],
      ],
    ] as const) {
      assert.deepEqual(push(new SseSplitter(100, START), ...chunks), out, JSON.stringify(chunks))
    }
  })

  test('are numbered by their first id', () => {
    for (const [event, after] of [
      ['id: k1.7\ndata: x\n\n', 'k1.7'],
      ['id:k1.7\rdata: x\r\r', 'k1.7'],
      ['\uFEFFid: k1.7\ndata: x\n\n', 'k1.7'],
      [': comment\nid: k1.7\ndata: x\nid: theirs\n\n', 'k1.7'],
      ['data: id: k1.7\n\n', '0'],
      ['idle: k1.7\n\n', '0'],
      ['id: 7\n\n', '0'],
      ['id: k1.x\n\n', '0'],
      ['id: k 1.7\n\n', '0'],
      [`id: ${'k'.repeat(200)}.7\n\n`, '0'],
      ['id: k1.7', '0'],
    ] as const) {
      const splitter = new SseSplitter(1000, START)
      push(splitter, event)
      assert.equal(splitter.after, after, JSON.stringify(event))
      assert.equal(splitter.events, after === '0' ? 0 : 1)
    }
  })

  test('start over with another connection, wherever the one before was cut', () => {
    for (const cut of ['data: a', 'data: a\r\n\r', 'data: a\r', 'data: a\n']) {
      const splitter = new SseSplitter(100, START)
      assert.deepEqual(push(splitter, cut), [''])
      assert.equal(splitter.hasPending, true)
      splitter.restart()
      assert.equal(splitter.hasPending, false)
      assert.deepEqual(push(splitter, '\n', 'data: b\n\r', 'data: c\n\n'), ['\n', 'data: b\n\r', 'data: c\n\n'])
    }
  })

  test('that have come before do not come again; numbers may be left out', () => {
    const splitter = new SseSplitter(1000, { epoch: 'e', n: 2 })
    const event = (n: number) => `id: e.${n}\ndata: ${n}\n\n`
    const chunks = [event(1), event(2), event(3), event(3) + event(2), event(7), event(5)]
    assert.deepEqual(push(splitter, ...chunks), ['', '', event(3), '', event(7), ''])
    assert.deepEqual([splitter.after, splitter.events], ['e.7', 2])
    assert.throws(() => push(splitter, 'id: f.8\ndata: 8\n\n'), { reason: 'other_epoch' })
  })

  test('must not be longer than allowed, whether their end has come or not', () => {
    const event = `data: ${'x'.repeat(92)}\n\n`
    assert.deepEqual(push(new SseSplitter(event.length, START), event), [event])
    for (const chunks of [[event], [event.slice(0, 50), event.slice(50)], [event.slice(0, -1)]]) {
      assert.throws(() => push(new SseSplitter(98, START), ...chunks), { reason: 'event_too_large' }, chunks.join())
    }
  })

  test('may be much longer than the chunks that they come in', () => {
    const event = `data: ${Array.from({ length: 30_000 }, (_, at) => at).join()}\n\n`
    const splitter = new SseSplitter(1_000_000, START)
    const out: string[] = []
    for (let at = 0; at < event.length; at += 700) out.push(...push(splitter, event.slice(at, at + 700)))
    assert.equal(out.join(''), event)
    assert.equal(out.at(-1), event)
    assert.deepEqual(push(splitter, 'data: sm', 'all\n\n'), ['', 'data: small\n\n'])
  })
})

test('lines that are blank in JSON do not count', () => {
  const splitter = new LineSplitter(100, 4)
  assert.deepEqual(push(splitter, '{"a":1}\n\n \t\r\n{"b"', ':2}\r\n'), ['{"a":1}\n\n \t\r\n', '{"b":2}\r\n'])
  assert.equal(splitter.after, '6')
  assert.equal(splitter.events, 2)
})
