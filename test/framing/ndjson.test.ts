import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NdjsonFramer, ndjson } from '../../lib/framing/ndjson.js'
import { latin1 } from '../support/bytes.js'
import { framesOf } from './plan.js'

const LARGE = 1024 * 1024

describe('NdjsonFramer', () => {
  const table: [name: string, chunks: string[], frames: string[][], events: number, last?: string][] = [
    ['a line', ['{"a":1}\n'], [['{"a":1}\n']], 1, '{"a":1}\n'],
    ['CRLF', ['{"a":1}\r\n'], [['{"a":1}\r\n']], 1, '{"a":1}\r\n'],
    ['CRLF, cut in its middle', ['{"a":1}\r', '\n'], [[], ['{"a":1}\r\n']], 1, '{"a":1}\r\n'],
    ['a CR without LF ends no line', ['1\r2\r'], [[]], 0],
    ['several', ['1\n2\n3'], [['1\n', '2\n']], 2, '2\n'],
    ['in pieces', ['{"a"', ':1', '}\n2\n'], [[], [], ['{"a":1}\n', '2\n']], 2, '2\n'],
    ['blank lines', ['\n\r\n \t\n'], [['\n', '\r\n', ' \t\n']], 0],
    ['a blank line, then an event', ['\n1\n'], [['\n', '1\n']], 1, '1\n'],
    ['an event, then a blank line', ['1\n\n'], [['1\n', '\n']], 1, '1\n'],
    ['white space in pieces is a blank line', [' ', ' ', '\n'], [[], [], ['  \n']], 0],
    ['white space before a value is not a line', [' ', '1', ' \n'], [[], [], [' 1 \n']], 1, ' 1 \n'],
    ['an empty chunk', ['1', '', '\n'], [[], [], ['1\n']], 1, '1\n'],
  ]
  for (const [name, chunks, frames, events, last] of table) {
    test(name, () => {
      const framer = new NdjsonFramer(LARGE)
      const seen = chunks.map((chunk) => framesOf(framer, framer.push([Buffer.from(chunk)])).map(String))
      assert.deepEqual(seen, frames)
      assert.equal(framer.events, events)
      assert.equal(latin1(framer.last()), last)
    })
  }

  const ends: [name: string, body: string, rest: string | undefined, events: number][] = [
    ['nothing is left', '1\n', undefined, 1],
    ['a line without its end', '1\n2', '2\n', 2],
    ['… and with half of it', '1\n2\r', '2\r\n', 2],
    ['white space', '1\n  ', '  \n', 1],
  ]
  for (const [name, body, rest, events] of ends) {
    test(`at a clean end: ${name}`, () => {
      const framer = new NdjsonFramer(LARGE)
      framer.push([Buffer.from(body)])
      const out = framer.end()
      framesOf(framer, out)
      assert.equal(latin1(out), rest)
      assert.equal(framer.events, events)
      assert.equal(framer.corrupt, undefined)
      assert.equal(framer.end(), undefined)
    })
  }

  test('a remainder that is discarded is not an event', () => {
    const framer = new NdjsonFramer(LARGE)
    framer.push([Buffer.from('1\n{"a')])
    assert.equal(latin1(framer.end()), '{"a\n')
    assert.equal(latin1(framer.last()), '{"a\n')
    framer.discardLast()
    assert.deepEqual([framer.events, framer.last()], [1, undefined])
  })

  test('discarding white space does not change the count', () => {
    const framer = new NdjsonFramer(LARGE)
    framer.push([Buffer.from('1\n ')])
    framer.end()
    framer.discardLast()
    assert.equal(framer.events, 1)
  })

  test('a line that is too large is rejected, those before it go out', () => {
    const whole = new NdjsonFramer(4)
    assert.equal(latin1(whole.push([Buffer.from('123\n1234\n')])), '123\n')
    assert.deepEqual([whole.tooLarge, whole.events], [true, 1])
    const half = new NdjsonFramer(4)
    assert.equal(half.push([Buffer.from('1234')]), undefined)
    assert.equal(half.tooLarge, false)
    assert.equal(half.push([Buffer.from('5')]), undefined)
    assert.equal(half.tooLarge, true)
    assert.equal(half.push([Buffer.from('\n')]), undefined)
    assert.equal(half.end(), undefined)
  })
})

describe('ndjson', () => {
  for (const [line, data] of [
    ['{"a":1}\n', '{"a":1}'],
    [' {"a": 1} \r\n', '{"a": 1}'],
    ['"ß🦆"\n', '"ß🦆"'],
    ['1', '1'],
    ['\n', undefined],
    [' \t\r\n', undefined],
    ['', undefined],
  ] as const) {
    test(`reads ${JSON.stringify(line)}`, () => {
      assert.deepEqual(ndjson.read(Buffer.from(line)), data === undefined ? undefined : { data })
    })
  }

  test('writes a multi-line value on one line', () => {
    const value = { a: ['x\ny', { b: null }] }
    for (const end of ['\n', '\r\n', '\r']) {
      const written = ndjson.write({ event: 'x', data: JSON.stringify(value, null, 2).replaceAll('\n', end) })
      assert.match(String(written), /^[^\r\n]+\n$/)
      assert.deepEqual(JSON.parse(ndjson.read(written)!.data), value)
    }
  })
})
