import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SseFramer } from '../../lib/framing/sse.js'
import { latin1 } from '../support/bytes.js'
import { framesOf } from './plan.js'

const LARGE = 8 * 1024 * 1024

/** Pushes each text and returns what came out each time. */
function outputs(framer: SseFramer, chunks: readonly string[]): (string | undefined)[] {
  return chunks.map((chunk) => latin1(framer.push([Buffer.from(chunk, 'latin1')])))
}

describe('an event goes out with the chunk that completes it', () => {
  const table: [name: string, chunks: string[], out: (string | undefined)[], events: number][] = [
    ['LF', ['data: a\n\n'], ['data: a\n\n'], 1],
    ['CR', ['data: a\r\r'], ['data: a\r\r'], 1],
    ['CRLF', ['data: a\r\n\r\n'], ['data: a\r\n\r\n'], 1],
    ['LF, then CR', ['data: a\n\r'], ['data: a\n\r'], 1],
    ['LF, then CRLF', ['data: a\n\r\n'], ['data: a\n\r\n'], 1],
    ['CR, then CRLF', ['data: a\r\r\n'], ['data: a\r\r\n'], 1],
    ['CRLF, then LF', ['data: a\r\n\n'], ['data: a\r\n\n'], 1],
    ['CRLF, then CR', ['data: a\r\n\r'], ['data: a\r\n\r'], 1],
    ['a single CRLF ends a line, not an event', ['data: a\r\n'], [undefined], 0],
    ['several in one chunk', ['data: a\n\ndata: b\n\n'], ['data: a\n\ndata: b\n\n'], 2],
    ['one and a half', ['data: a\n\ndata: b'], ['data: a\n\n'], 1],
    ['the other half later', ['data: a\n\ndata: b', '\n\n'], ['data: a\n\n', 'data: b\n\n'], 2],
    ['byte by byte', [...'data: a\n\n'], [...Array<undefined>(8).fill(undefined), 'data: a\n\n'], 1],
    [
      'lines of several data fields',
      ['data: a\n', 'data: b\n', '\n'],
      [undefined, undefined, 'data: a\ndata: b\n\n'],
      1,
    ],
    ['data that is empty', ['data\n\n'], ['data\n\n'], 1],
    ['all fields', ['id: 1\nevent: x\nretry: 5\ndata: a\n\n'], ['id: 1\nevent: x\nretry: 5\ndata: a\n\n'], 1],
    [
      'other line ends in each event',
      ['data: a\r\rdata: b\n\ndata: c\r\n\r\n'],
      ['data: a\r\rdata: b\n\ndata: c\r\n\r\n'],
      3,
    ],
  ]
  for (const [name, chunks, out, events] of table) {
    test(name, () => {
      const framer = new SseFramer(LARGE)
      assert.deepEqual(outputs(framer, chunks), out)
      assert.equal(framer.events, events)
    })
  }
})

describe('without blank lines, each line of data that is a whole message is an event', () => {
  const a = 'data: {"id":1}\n'
  const b = 'data:{"id":2}\n'
  const done = 'data: [DONE]\n'
  const table: [name: string, chunks: string[], out: (string | undefined)[], events: number][] = [
    ['the first two once a third begins', [a, b, 'd'], [undefined, undefined, a + b], 2],
    ['the others at their ends', [a + b + a, b, done], [a + b + a, b, done], 5],
    ['a line in pieces', [`${a + b}data`, ': {', '}\n'], [a + b, undefined, 'data: {}\n'], 3],
    ['with CRLF', [`${a}${b}${a}`.replaceAll('\n', '\r\n')], [`${a}${b}${a}`.replaceAll('\n', '\r\n')], 3],
    ['with a byte order mark', [`\u00EF\u00BB\u00BF${a}${b}${a}`], [`\u00EF\u00BB\u00BF${a}${b}${a}`], 3],
    [
      'comments and names with the data after them',
      [a + b + a, ': x\nevent: y\n', a],
      [a + b + a, undefined, `: x\nevent: y\n${a}`],
      4,
    ],
    ['blank lines after all', [a + b + a, '\n', `${a}\n\n`], [a + b + a, '\n', `${a}\n\n`], 4],
    ['after whole events', [`: x\n\n${a}\n`, a + b + a], [`: x\n\n${a}\n`, a + b + a], 4],
  ]
  for (const [name, chunks, out, events] of table) {
    test(name, () => {
      const framer = new SseFramer(LARGE)
      assert.deepEqual(outputs(framer, chunks), out)
      assert.equal(framer.events, events)
    })
  }

  for (const [name, text] of [
    ['two lines and a blank one', `${a}${b}\n`],
    ['lines that are a message together', 'data: {"id":\ndata: 1\ndata: }\n\n'],
    ['lines that are no messages', 'data: 1\ndata: [DONE]\ndata: 2\n\n'],
    ['lines of more than 64 KiB', `data: {"id":"${'1'.repeat(66_000)}"}\n${b}${a}\n`],
    ['a name before the data', `event: x\n${a}${b}\n`],
  ] as const) {
    test(`but not ${name}, byte by byte or whole`, () => {
      for (const chunks of [[text], [...text]]) {
        const framer = new SseFramer(LARGE)
        assert.equal(outputs(framer, chunks).at(-1), text)
        assert.equal(framer.events, 1)
      }
    })
  }

  for (const [end, closing] of [
    [done, '\n'],
    [done.trimEnd(), '\n\n'],
  ] as const) {
    test(`at the end, two of them, too: ${JSON.stringify(end)}`, () => {
      const framer = new SseFramer(LARGE)
      assert.deepEqual(outputs(framer, [a, end]), [undefined, undefined])
      assert.equal(latin1(framer.end()), a + end + closing)
      assert.equal(latin1(framer.last()), end + closing)
      assert.deepEqual(framer.ends, [a.length, a.length + end.length + closing.length])
      assert.equal(framer.events, 2)
    })
  }

  test('however the stream is cut', () => {
    const text = `${a}${b}: x\n${a}\r\n${b}event: z\n${done}`
    for (let at = 0; at <= text.length; at++) {
      const framer = new SseFramer(LARGE)
      const sent = [...outputs(framer, [text.slice(0, at), text.slice(at)]), latin1(framer.end())]
      assert.equal(sent.join(''), text, String(at))
      assert.equal(framer.events, 5, String(at))
    }
  })

  test('may be too large', () => {
    const framer = new SseFramer(20)
    assert.deepEqual(outputs(framer, [a + b + a, `data: {"id":${'1'.repeat(20)}}\n`]), [a + b + a, undefined])
    assert.equal(framer.tooLarge, true)
  })
})

describe('a chunk that ends between CR and LF', () => {
  const table: [name: string, chunks: string[], out: (string | undefined)[], events: number][] = [
    ['the CR completes the event now, the LF follows it', ['data: a\r\n\r', '\n'], ['data: a\r\n\r', '\n'], 1],
    [
      'the LF belongs to it even before the next event',
      ['data: a\r\r', '\ndata: b\n\n'],
      ['data: a\r\r', '\ndata: b\n\n'],
      2,
    ],
    ['… and before one with CRs', ['data: a\r\r', '\ndata: b\r\r'], ['data: a\r\r', '\ndata: b\r\r'], 2],
    ['… and before half of one', ['data: a\r\r', '\ndata: b', '\n\n'], ['data: a\r\r', '\n', 'data: b\n\n'], 2],
    ['within an event it is one line end', ['data: a\r', '\ndata: b\n\n'], [undefined, 'data: a\r\ndata: b\n\n'], 1],
    ['… that is not a blank line', ['data: a\r', '\n', '\n'], [undefined, undefined, 'data: a\r\n\n'], 1],
    ['an LF after that one is a blank line', ['data: a\r', '\n\n'], [undefined, 'data: a\r\n\n'], 1],
    ['no LF follows: the next event begins', ['data: a\r\r', 'data: b\r\r'], ['data: a\r\r', 'data: b\r\r'], 2],
    ['a CR follows: a blank line', ['data: a\r\r', '\r', '\n'], ['data: a\r\r', '\r', '\n'], 1],
    ['after the first LF a second is a blank line', ['data: a\r\r', '\n', '\n'], ['data: a\r\r', '\n', '\n'], 1],
    [
      'each of the four apart',
      ['data: a', '\r', '\n', '\r', '\n'],
      [undefined, undefined, undefined, 'data: a\r\n\r', '\n'],
      1,
    ],
  ]
  for (const [name, chunks, out, events] of table) {
    test(name, () => {
      const framer = new SseFramer(LARGE)
      assert.deepEqual(outputs(framer, chunks), out)
      assert.equal(framer.events, events)
    })
  }
})

describe('blank lines and comments are not events, but go out as well', () => {
  const table: [name: string, chunks: string[], out: (string | undefined)[], events: number][] = [
    ['blank lines', ['\n\n\n'], ['\n\n\n'], 0],
    ['blank lines of CRLF', ['\r\n\r\n'], ['\r\n\r\n'], 0],
    ['a blank line between events', ['data: a\n\n\ndata: b\n\n'], ['data: a\n\n\ndata: b\n\n'], 2],
    ['a comment', [': ping\n\n'], [': ping\n\n'], 0],
    ['an empty comment', [':\n\n'], [':\n\n'], 0],
    ['a comment with CRs', [': ping\r\r'], [': ping\r\r'], 0],
    ['comments of several lines', [': a\n: b\n\n'], [': a\n: b\n\n'], 0],
    ['a comment split after its colon', [':', ' data: x\n', '\n'], [undefined, undefined, ': data: x\n\n'], 0],
    ['a comment split after its CR', [': a\r', '\n: b\r', '\r'], [undefined, undefined, ': a\r\n: b\r\r'], 0],
    ['a comment within an event is part of it', ['data: a\n: x\n\n'], ['data: a\n: x\n\n'], 1],
    ['a comment before an event is part of it', [': x\ndata: a\n\n'], [': x\ndata: a\n\n'], 1],
    ['a comment after an event', ['data: a\n\n: x\n\n'], ['data: a\n\n: x\n\n'], 1],
    ['a comment between line ends of CR', ['data: a\r\r: x\r\rdata: b\r\r'], ['data: a\r\r: x\r\rdata: b\r\r'], 2],
  ]
  for (const [name, chunks, out, events] of table) {
    test(name, () => {
      const framer = new SseFramer(LARGE)
      assert.deepEqual(outputs(framer, chunks), out)
      assert.equal(framer.events, events)
    })
  }
})

describe('bytes are not changed', () => {
  test('a byte order mark before the first event passes', () => {
    const framer = new SseFramer(LARGE)
    const body = Buffer.from('\uFEFFdata: a\n\n')
    assert.deepEqual(framer.push([body]), body)
    assert.equal(framer.events, 1)
  })

  test('a byte order mark makes no event of a comment', () => {
    const framer = new SseFramer(LARGE)
    const body = Buffer.from('\uFEFF: ping\n\n')
    assert.deepEqual(framer.push([body]), body)
    assert.equal(framer.events, 0)
  })

  for (const [name, body, events] of [
    ['a comment', '\uFEFF: ping\n\n', 0],
    ['an event', '\uFEFFdata: a\n\n', 1],
    ['an event of CRs', '\uFEFFdata: a\r\r', 1],
    ['a blank line', '\uFEFF\n', 0],
    ['a blank line, then an event', '\uFEFF\ndata: a\n\n', 1],
  ] as const) {
    test(`a byte order mark, split anywhere, passes before ${name}`, () => {
      const bytes = Buffer.from(body)
      for (let at = 1; at < bytes.length; at++) {
        const framer = new SseFramer(LARGE)
        const out = [bytes.subarray(0, at), bytes.subarray(at)].map((chunk) => framer.push([chunk]) ?? Buffer.alloc(0))
        assert.deepEqual(Buffer.concat(out), bytes, `cut at ${at}`)
        assert.equal(framer.events, events, `cut at ${at}`)
      }
    })
  }

  test('a byte order mark anywhere else is text', () => {
    const framer = new SseFramer(LARGE)
    framer.push([Buffer.from('data: a\n\n\uFEFF: b\n\n')])
    assert.equal(framer.events, 2)
  })

  test('a character that was split comes out whole', () => {
    const body = Buffer.from('data: 🦆ß\n\n')
    for (let at = 1; at < body.length; at++) {
      const framer = new SseFramer(LARGE)
      assert.equal(framer.push([body.subarray(0, at)]), undefined)
      assert.deepEqual(framer.push([body.subarray(at)]), body)
    }
  })

  test('bytes that are not UTF-8 pass unchanged', () => {
    const framer = new SseFramer(LARGE)
    const body = Buffer.from('data: \xff\xfe\x00\x80\n\n', 'latin1')
    assert.deepEqual(framer.push([body]), body)
  })

  test('NEL, LS and PS are not line ends', () => {
    const framer = new SseFramer(LARGE)
    assert.equal(framer.push([Buffer.from('data: a\u0085\u0085\u2028\u2028\u2029\u2029')]), undefined)
  })

  test('an empty chunk has no effect, not even between CR and LF', () => {
    const framer = new SseFramer(LARGE)
    assert.deepEqual(outputs(framer, ['data: a\r', '', '\n', '', '\r', '', '\n']), [
      undefined,
      undefined,
      undefined,
      undefined,
      'data: a\r\n\r',
      undefined,
      '\n',
    ])
    assert.equal(framer.events, 1)
  })

  test('the input chunks are not modified', () => {
    const framer = new SseFramer(LARGE)
    const chunks = ['data: a', '\r', '\n\r\ndata'].map((text) => Buffer.from(text))
    for (const chunk of chunks) framer.push([chunk])
    framer.end()
    assert.deepEqual(chunks.map(String), ['data: a', '\r', '\n\r\ndata'])
  })
})

describe('at a clean end, the remainder is closed with a blank line', () => {
  const table: [name: string, chunks: string[], rest: string | undefined, events: number][] = [
    ['nothing came', [], undefined, 0],
    ['nothing is left', ['data: a\n\n'], undefined, 1],
    ['nothing is left, the last line end was a CR', ['data: a\r\r'], undefined, 1],
    ['nothing but the second half of a CRLF', ['data: a\r\r', '\n'], undefined, 1],
    ['no line end', ['data: [DONE]'], 'data: [DONE]\n\n', 1],
    ['one line end, LF', ['data: [DONE]\n'], 'data: [DONE]\n\n', 1],
    ['one line end, CRLF', ['data: [DONE]\r\n'], 'data: [DONE]\r\n\n', 1],
    // Behind a CR, one LF would only make a CRLF of it: the line would end, the event would not.
    ['one line end, CR', ['data: [DONE]\r'], 'data: [DONE]\r\n\n', 1],
    ['after another event', ['data: a\n\ndata: [DONE]'], 'data: [DONE]\n\n', 2],
    ['in pieces', ['data:', ' [DO', 'NE]'], 'data: [DONE]\n\n', 1],
    ['half a comment', [': pin'], ': pin\n\n', 0],
    ['two lines', ['event: x\ndata: a'], 'event: x\ndata: a\n\n', 1],
  ]
  for (const [name, chunks, rest, events] of table) {
    test(name, () => {
      const framer = new SseFramer(LARGE)
      outputs(framer, chunks)
      assert.equal(latin1(framer.end()), rest)
      assert.equal(framer.events, events)
      assert.equal(latin1(framer.last()), events > 0 && rest !== undefined ? rest : undefined)
    })
  }

  test('the remainder goes out once', () => {
    const framer = new SseFramer(LARGE)
    framer.push([Buffer.from('data: a')])
    framer.end()
    assert.equal(framer.end(), undefined)
    assert.equal(framer.events, 1)
  })
})

describe('last()', () => {
  const table: [name: string, chunks: string[], last: string | undefined][] = [
    ['of one', ['data: a\n\n'], 'data: a\n\n'],
    ['of several', ['data: a\n\ndata: b\n\n'], 'data: b\n\n'],
    ['of several, with CRs', ['data: a\r\rdata: b\r\r'], 'data: b\r\r'],
    ['with half of the next after it', ['data: a\n\ndata: b\n\ndata: c'], 'data: b\n\n'],
    ['that came in pieces', ['data: a', 'bc', '\n\n'], 'data: abc\n\n'],
    ['that came whole after one in pieces', ['data: a', 'bc\n\ndata: d\n\n'], 'data: d\n\n'],
    ['in pieces, CRs', ['data: a\r\r', '\ndata: b', 'c\r\rdata: d\r\r'], 'data: d\r\r'],
    ['with a comment after it', ['data: a\n\n: x\n\n'], 'data: a\n\n'],
    ['with blank lines after it', ['data: a\n\n\n\n'], 'data: a\n\n'],
    ['after the second half of a CRLF', ['data: a\r\r', '\ndata: b\n\n'], 'data: b\n\n'],
    ['of a chunk with none', ['data: a\n\n', 'data: b'], undefined],
    ['of a chunk with a comment only', ['data: a\n\n', ': x\n\n'], undefined],
    ['of the second half of a CRLF', ['data: a\r\n\r', '\n'], undefined],
    ['of an empty chunk', ['data: a\n\n', ''], undefined],
    ['of nothing', [], undefined],
  ]
  for (const [name, chunks, last] of table) {
    test(name, () => {
      const framer = new SseFramer(LARGE)
      outputs(framer, chunks)
      assert.equal(latin1(framer.last()), last)
    })
  }
})

describe('ends', () => {
  const table: [name: string, chunks: string[], frames: string[][]][] = [
    ['one event', ['data: a\n\n'], [['data: a\n\n']]],
    ['several', ['data: a\n\ndata: b\n\n'], [['data: a\n\n', 'data: b\n\n']]],
    ['half of the next after it', ['data: a\n\ndata: b'], [['data: a\n\n']]],
    ['one in pieces, then another', ['data: a', 'b', '\n\ndata: c\n\n'], [[], [], ['data: ab\n\n', 'data: c\n\n']]],
    ['comments and blank lines are frames', [': x\n\n\ndata: a\n\n'], [[': x\n\n', '\n', 'data: a\n\n']]],
    ['CRLF', ['data: a\r\n\r\ndata: b\r\n\r\n'], [['data: a\r\n\r\n', 'data: b\r\n\r\n']]],
    ['CR', ['data: a\r\rdata: b\r\r'], [['data: a\r\r', 'data: b\r\r']]],
    ['half a CRLF that arrives separately', ['data: a\r\n\r', '\n'], [['data: a\r\n\r'], ['\n']]],
    ['… and with the next event', ['data: a\r\r', '\ndata: b\n\n'], [['data: a\r\r'], ['\n', 'data: b\n\n']]],
    ['… of CRs', ['data: a\r\r', '\ndata: b\r\r'], [['data: a\r\r'], ['\n', 'data: b\r\r']]],
    ['nothing', ['data: a\n\n', ''], [['data: a\n\n'], []]],
  ]
  for (const [name, chunks, frames] of table) {
    test(name, () => {
      const framer = new SseFramer(LARGE)
      const seen = chunks.map((chunk) => framesOf(framer, framer.push([Buffer.from(chunk)])).map(String))
      assert.deepEqual(seen, frames)
    })
  }

  test('are those of the remainder at the end, once', () => {
    const framer = new SseFramer(LARGE)
    framer.push([Buffer.from('data: a\n\ndata: b')])
    assert.deepEqual(framesOf(framer, framer.end()).map(String), ['data: b\n\n'])
    assert.deepEqual(framesOf(framer, framer.end()), [])
  })

  test('exclude a remainder that is discarded', () => {
    const framer = new SseFramer(LARGE)
    framer.push([Buffer.from('data: a\n\ndata: b')])
    framer.end()
    framer.discardLast()
    assert.deepEqual([framer.events, framer.last(), framer.ends], [1, undefined, []])
  })

  test('include the frames before one that is too large', () => {
    const framer = new SseFramer(10)
    assert.deepEqual(framesOf(framer, framer.push([Buffer.from('data: a\n\ndata: 123456\n\n')])).map(String), [
      'data: a\n\n',
    ])
    assert.equal(framer.tooLarge, true)
  })
})

describe('maxEventBytes', () => {
  const event = 'data: 0123456789\n\n'
  const max = event.length

  test('an event of exactly the maximum size passes, in one chunk and in many', () => {
    const whole = new SseFramer(max)
    assert.deepEqual(outputs(whole, [event]), [event])
    const pieces = new SseFramer(max)
    assert.equal(outputs(pieces, [...event]).at(-1), event)
    assert.deepEqual([whole.tooLarge, pieces.tooLarge], [false, false])
  })

  for (const [name, chunks] of [
    ['in one chunk', [event]],
    ['in many', [...event]],
    ['unfinished', ['data: 0123456789--']],
    ['of CRs', [event.replaceAll('\n', '\r')]],
  ] as const) {
    test(`one byte more is too large: ${name}`, () => {
      const framer = new SseFramer(max - 1)
      assert.deepEqual(
        outputs(framer, chunks).filter((out) => out !== undefined),
        [],
      )
      assert.equal(framer.tooLarge, true)
      assert.equal(framer.events, 0)
    })
  }

  test('bounds each event, not their sum', () => {
    const framer = new SseFramer(max)
    outputs(framer, [event + event, event.slice(0, 5), event.slice(5) + event + event])
    assert.equal(framer.tooLarge, false)
    assert.equal(framer.events, 5)
  })

  for (const end of ['\n\n', '\r\r', '\r\n\r\n']) {
    test(`whole events before one that is too large go out (${JSON.stringify(end)})`, () => {
      const small = `data: a${end}`
      const framer = new SseFramer(max)
      const out = framer.push([Buffer.from(`${small}${small}data: ${'x'.repeat(max)}${end}${small}`)])
      assert.equal(latin1(out), small + small)
      assert.equal(framer.tooLarge, true)
      assert.equal(framer.events, 2)
    })
  }

  test('a large event is found if its start comes with the end of another', () => {
    const framer = new SseFramer(max)
    assert.deepEqual(outputs(framer, ['data: a', `\n\ndata: ${'x'.repeat(max)}`]), [undefined, 'data: a\n\n'])
    assert.equal(framer.tooLarge, true)
  })

  test('further input is ignored', () => {
    const framer = new SseFramer(max)
    outputs(framer, ['x'.repeat(max + 1)])
    assert.deepEqual(outputs(framer, ['\n\n', event]), [undefined, undefined])
    assert.equal(framer.end(), undefined)
    assert.equal(framer.last(), undefined)
    assert.equal(framer.events, 0)
  })

  test('an event over many chunks is rejected as soon as it is too large', () => {
    const framer = new SseFramer(10)
    outputs(framer, ['data: 1234'])
    assert.equal(framer.tooLarge, false)
    outputs(framer, ['5'])
    assert.equal(framer.tooLarge, true)
  })

  test('comments count as well: an endless one cannot bypass the limit', () => {
    const framer = new SseFramer(10)
    outputs(framer, [': 23456', '789', '01'])
    assert.equal(framer.tooLarge, true)
  })
})

describe('a body that ends within a line', () => {
  const end = (text: string) => {
    const framer = new SseFramer(LARGE)
    assert.equal(framer.push([Buffer.from(text)]), undefined)
    const rest = framer.end()
    return { rest: rest && latin1(rest), corrupt: framer.corrupt }
  }
  const corrupt = 'it ended in the middle of an event'

  for (const br of ['\n', '\r\n', '\r']) {
    for (const line of ['e', 'event: err', 'id: 12', 'retry: 1', 'data', 'x']) {
      test(`after data, of another field: nothing goes out (${JSON.stringify(br + line)})`, () => {
        for (const before of ['', '\uFEFF', `: a${br}`, `id: 1${br}`]) {
          assert.deepEqual(end(`${before}data: {}${br}${line}`), { rest: undefined, corrupt })
        }
      })
    }
    for (const text of [
      'data: {}',
      `event: a${br}data: {}`,
      `data: {${br}data: }`,
      `data: {}${br}: co`,
      `id: 1${br}event: a`,
    ]) {
      test(`of data, a comment or an event without data: the rest goes out (${JSON.stringify(text)})`, () =>
        assert.deepEqual(end(text), { rest: `${text}\n\n`, corrupt: undefined }))
    }
  }
})
