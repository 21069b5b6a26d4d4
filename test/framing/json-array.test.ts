import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { jsonArray } from '../../lib/framing/index.js'
import { JsonArrayFramer } from '../../lib/framing/json-array.js'
import { latin1, piecesOf } from '../support/bytes.js'
import { framesOf } from './plan.js'

const LARGE = 1024 * 1024

/** Pushes each text; the frames that come out each time. */
function framesOfEach(framer: JsonArrayFramer, chunks: readonly string[]): string[][] {
  return chunks.map((chunk) => framesOf(framer, framer.push([Buffer.from(chunk)])).map(String))
}

describe('JsonArrayFramer: an element goes out with the byte that completes it', () => {
  const table: [name: string, chunks: string[], frames: string[][], events: number][] = [
    ['as Gemini sends it', ['[{"a":1}\n', ',\r\n{"a":2}\n', ']\n'], [['[{"a":1}'], ['\n,\r\n{"a":2}'], ['\n]']], 2],
    ['all at once', ['[{"a":1},{"a":2}]'], [['[{"a":1}', ',{"a":2}', ']']], 2],
    ['in pieces', ['[{"a"', ':', '1}', ']'], [[], [], ['[{"a":1}'], [']']], 1],
    ['no elements', ['[]'], [['[]']], 0],
    ['no elements, and white space', [' [ ', ' ]'], [[], [' [  ]']], 0],
    ['brackets in strings', ['[{"}]":"[{"},"]",["}"]]'], [['[{"}]":"[{"}', ',"]"', ',["}"]', ']']], 3],
    ['escaped quotes', ['["a\\"]","\\\\",{"\\\\\\"":1}]'], [['["a\\"]"', ',"\\\\"', ',{"\\\\\\"":1}', ']']], 3],
    ['an escape cut in its middle', ['["a\\', '"b"]'], [[], ['["a\\"b"', ']']], 1],
    ['two backslashes, cut between them', ['["a\\', '\\"]'], [[], ['["a\\\\"', ']']], 1],
    ['two backslashes, split after them', ['["a\\\\', '"]'], [[], ['["a\\\\"', ']']], 1],
    ['three, split after the first', ['["\\', '\\\\"', '"]'], [[], [], ['["\\\\\\""', ']']], 1],
    ['an escape byte by byte', [...'["\\"",1]'], [[], [], [], [], ['["\\""'], [], [], [',1', ']']], 2],
    ['an escaped letter', ['["\\n\\u005c","]"]'], [['["\\n\\u005c"', ',"]"', ']']], 2],
    ['characters of several bytes', ['["ß🦆","ſ"]'], [['["ß🦆"', ',"ſ"', ']']], 2],
    ['arrays in arrays', ['[[1,[2]],[[]]]'], [['[[1,[2]]', ',[[]]', ']']], 2],
    ['numbers and names, seen by what follows', ['[1,tr', 'ue', ' ,null]'], [['[1'], [], [',true', ' ,null', ']']], 3],
    // What is held is longer than what comes: it is not joined.
    ['a long number, ended by one byte', ['[12345678', ',', '2', ']'], [[], ['[12345678'], [], [',2', ']']], 2],
    ['white space of every kind', ['[ \t\r\n1 \t\r\n, 2 ]'], [['[ \t\r\n1', ' \t\r\n, 2', ' ]']], 2],
    ['a second array', ['[1][2]'], [['[1', ']', '[2', ']']], 2],
  ]
  for (const [name, chunks, frames, events] of table) {
    test(name, () => {
      const framer = new JsonArrayFramer(LARGE)
      assert.deepEqual(framesOfEach(framer, chunks), frames)
      assert.equal(framer.events, events)
      framer.end()
      assert.equal(framer.corrupt, undefined)
    })
  }

  test('10,000 levels deep, as an element and within one', () => {
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`
    for (const body of [`[${deep},{"a":${deep}}]`, `[{"a":${`{"b":[`.repeat(5000)}1${']}'.repeat(5000)}},2]`]) {
      for (const size of [1, 777, body.length]) {
        const framer = new JsonArrayFramer(LARGE)
        const out = piecesOf(Buffer.from(body), size).flatMap((chunk) => framer.push([chunk]) ?? [])
        assert.equal(String(Buffer.concat(out)), body)
        assert.equal(framer.events, 2)
      }
    }
  })

  test('last() is the last element, even after the end of the array', () => {
    const framer = new JsonArrayFramer(LARGE)
    framer.push([Buffer.from('[{"a":1}\n,{"a":2}\n]\n')])
    assert.equal(latin1(framer.last()), '\n,{"a":2}')
    framer.push([Buffer.from('\n')])
    assert.equal(framer.last(), undefined)
  })
})

describe('JsonArrayFramer: isClosed is set when the array ends', () => {
  for (const [chunks, expected] of [
    [
      ['[{"a":[1]}', ']'],
      [false, true],
    ],
    [['[]\n'], [true]],
    [
      ['[{"a":"]"}', '\n', ',[]', ' ]', '\n'],
      [false, false, false, true, true],
    ],
    [
      ['[1]', '[', ']'],
      [true, false, true],
    ],
    [
      ['{"error":[]}', ']'],
      [false, false],
    ],
  ] as const) {
    test(JSON.stringify(chunks), () => {
      const framer = new JsonArrayFramer(LARGE)
      const closed = chunks.map((chunk) => {
        framer.push([Buffer.from(chunk)])
        return framer.isClosed
      })
      assert.deepEqual(closed, expected)
    })
  }
})

describe('JsonArrayFramer: values other than an array', () => {
  const table: [name: string, chunks: string[], frames: string[][], rest: string | undefined, events: number][] = [
    ['an error', ['{"error":', '{"code":429}', '}'], [[], [], ['{"error":{"code":429}}']], undefined, 1],
    ['an error on lines', ['\n{\n"a":[1]\n}\n'], [['\n{\n"a":[1]\n}']], '\n', 1],
    ['two of them', ['{"a":1}\n{"a":2}'], [['{"a":1}', '\n{"a":2}']], undefined, 2],
    ['a string', ['"[', ']"'], [[], ['"[]"']], undefined, 1],
    ['a number', ['12', '3'], [[], []], '123', 1],
    ['an extra bracket', ['[1]],{"a":1}'], [['[1', ']', ']', ',{"a":1}']], undefined, 2],
    ['a byte order mark', ['\uFEFF[{"a":"]"}]'], [['\uFEFF', '[{"a":"]"}', ']']], undefined, 2],
    ['values with nothing between', ['1"a, b"{}'], [['1', '"a, b"', '{}']], undefined, 3],
    ['invalid JSON', ['<p>x y</p>'], [['<p>x']], ' y</p>', 2],
    ['white space', [' \n'], [[]], ' \n', 0],
    ['nothing', [''], [[]], undefined, 0],
  ]
  for (const [name, chunks, frames, rest, events] of table) {
    test(name, () => {
      const framer = new JsonArrayFramer(LARGE)
      assert.deepEqual(framesOfEach(framer, chunks), frames)
      const out = framer.end()
      framesOf(framer, out)
      assert.equal(latin1(out), rest)
      assert.equal(framer.events, events)
      assert.equal(framer.corrupt, undefined)
    })
  }
})

describe('JsonArrayFramer: a body that ends too early', () => {
  for (const body of ['[', '[{"a":1}', '[{"a":1},', '[{"a":1},{"a"', '["a', '[1', '[["a"]', '[{"a":1}]\n[']) {
    test(`${JSON.stringify(body)} ends in the middle of an array`, () => {
      const framer = new JsonArrayFramer(LARGE)
      framer.push([Buffer.from(body)])
      const { events } = framer
      assert.equal(framer.end(), undefined)
      assert.equal(framer.corrupt, 'it ended in the middle of a JSON array')
      assert.deepEqual([framer.events, framer.ends, framer.last()], [events, [], undefined])
      assert.equal(framer.push([Buffer.from(']')]), undefined)
      assert.equal(framer.end(), undefined)
    })
  }

  for (const body of ['{', '{"error":{}', '"abc', '{"a":"}']) {
    test(`${JSON.stringify(body)} ends in the middle of a value`, () => {
      const framer = new JsonArrayFramer(LARGE)
      framer.push([Buffer.from(body)])
      assert.equal(framer.end(), undefined)
      assert.equal(framer.corrupt, 'it ended in the middle of a JSON value')
    })
  }
})

describe('JsonArrayFramer: frames that are too large', () => {
  test('an element is rejected, those before it go out', () => {
    const framer = new JsonArrayFramer(8)
    assert.deepEqual(framesOfEach(framer, ['[{"a":1},{"a":1},{"a":12},1]']), [['[{"a":1}', ',{"a":1}']])
    assert.deepEqual([framer.tooLarge, framer.events], [true, 2])
  })

  test('half an element is rejected as soon as it is too large', () => {
    const framer = new JsonArrayFramer(8)
    framesOfEach(framer, ['["1', '23456'])
    assert.equal(framer.tooLarge, false)
    framesOfEach(framer, ['7'])
    assert.equal(framer.tooLarge, true)
    assert.equal(framer.end(), undefined)
    assert.equal(framer.corrupt, undefined)
  })

  test('endless white space is rejected', () => {
    const framer = new JsonArrayFramer(8)
    framesOfEach(framer, ['[1,', ' '.repeat(8)])
    assert.equal(framer.tooLarge, true)
  })
})

describe('jsonArray', () => {
  for (const [frame, data] of [
    ['[{"a":1}', '{"a":1}'],
    ['\n,\r\n{"a":1}', '{"a":1}'],
    [' [ [1]', '[1]'],
    [', []', '[]'],
    ['{"a":1}', '{"a":1}'],
    ['[1', '1'],
    ['[]', undefined],
    [']', undefined],
    ['\n]\n', undefined],
    [',', undefined],
    ['', undefined],
  ] as const) {
    test(`reads ${JSON.stringify(frame)}`, () => {
      assert.deepEqual(jsonArray.read(Buffer.from(frame)), data === undefined ? undefined : { data })
    })
  }

  test('replaces any element of an array', () => {
    const values = [{ a: [1, '}]'] }, [[]], 'x', null, 1.5e3]
    const body = JSON.stringify(values, null, 2)
    const framer = jsonArray.createFramer(LARGE)
    const frames = framesOf(framer, framer.push([Buffer.from(body)]))
    const read = frames.map((frame) => jsonArray.read(frame)).filter((message) => message !== undefined)
    assert.deepEqual(
      read.map(({ data }) => JSON.parse(data)),
      values,
    )
    const replaced = frames.map((frame) => {
      const message = jsonArray.read(frame)
      return message ? jsonArray.write({ data: JSON.stringify({ was: JSON.parse(message.data) }) }, frame) : frame
    })
    assert.deepEqual(
      JSON.parse(String(Buffer.concat(replaced))),
      values.map((was) => ({ was })),
    )
  })

  test('adds an element after another one', () => {
    assert.equal(String(jsonArray.write({ data: '{}' })), ',\r\n{}')
  })
})
