import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { LastFrames } from '../../lib/metering/last-frames.js'
import { copyChunk, takeBack } from '../../lib/util/chunk-memory.js'

/** Keeps frames as a turn hands them on. */
function keep(tail: LastFrames, frames: readonly string[]): Buffer {
  let end = 0
  const ends = frames.map((frame) => {
    end += frame.length
    return end
  })
  const bytes = Buffer.from(frames.join(''))
  tail.keep(bytes, ends)
  return bytes
}

function kept(...turns: (readonly string[])[]): string[] {
  const tail = new LastFrames()
  for (const frames of turns) keep(tail, frames)
  return tail.frames().map(String)
}

test('as many large frames are kept as fit into 256 KiB, and the last one in any case', () => {
  const [large, huge] = ['l'.repeat(100 * 1024), 'h'.repeat(300 * 1024)]
  assert.deepEqual(kept([large], [large], [large], ['a']), [large, large, 'a'])
  assert.deepEqual(kept([large], ['a'], [huge]), [huge])
  assert.deepEqual(kept([huge], ['a'], ['b']), ['a', 'b'])
})

test('a frame that is kept as it came keeps its memory', () => {
  const tail = new LastFrames()
  const frame = copyChunk(Buffer.alloc(60 * 1024, 'f'))
  tail.keep(frame, [frame.length])
  takeBack(frame, 0)
  assert.deepEqual(tail.frames().map(String), ['f'.repeat(60 * 1024)])
})

describe('the last frames of a stream', () => {
  for (const [name, turns, expected] of [
    ['of no turn', [], []],
    ['of a turn without any', [[]], []],
    ['of fewer than four', [['a', 'bb']], ['a', 'bb']],
    ['of four', [['a', 'bb', 'c', 'd']], ['a', 'bb', 'c', 'd']],
    ['of more', [['a', 'bb', 'ccc', 'dd', 'e', 'ff']], ['ccc', 'dd', 'e', 'ff']],
    ['one a turn', [['a'], ['b'], ['c'], ['d'], ['e'], ['f']], ['c', 'd', 'e', 'f']],
    ['of a large turn and a small one', [['a', 'b', 'c', 'd', 'e'], ['f']], ['c', 'd', 'e', 'f']],
    ['of a small turn and a large one', [['a'], ['b', 'c', 'd', 'e', 'f']], ['c', 'd', 'e', 'f']],
    ['with comments after it', [['a', ...Array(9).fill(': ping\n\n')]], ['a']],
    ['with turns of comments after it', [['a'], ...Array(9).fill([': ping\n\n'])], ['a']],
    ['with CRLF comments and blank lines after it', [['a', ...Array(9).fill(': ping\r\n\r\n')], ['\r\n']], ['a']],
    ['that begin with a comment', [[': a\ndata: 1\n\n', ...Array(4).fill(': ping\n\n')]], [': a\ndata: 1\n\n']],
    ['that begin with a line end', [['\n,{"error":{}}', '\n]']], ['\n,{"error":{}}', '\n]']],
    ['with blank lines after it', [['a', ...Array(9).fill('\n')], ...Array(9).fill(['\n'])], ['a']],
    [
      'with comments and blank lines between them',
      [
        ['a', '\n', ': x\n\n', 'b', '\n'],
        [':\n\n', 'c'],
      ],
      ['a', 'b', 'c'],
    ],
    ['of turns without any between them', [['a'], [], ['b'], []], ['a', 'b']],
  ] as const) {
    test(name, () => assert.deepEqual(kept(...turns), expected))
  }

  test('do not depend on how turns are split', () => {
    const silent = [': ping\n\n', '\n']
    const frame = fc.oneof(fc.stringMatching(/^[a-z]{1,4}$/), fc.constantFrom(...silent))
    const frames = fc.array(frame, { maxLength: 8 })
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 12 }), (turns) => {
        const reporting = turns.flat().filter((frame) => !silent.includes(frame))
        assert.deepEqual(kept(...turns), reporting.slice(-4))
      }),
    )
  })

  test('are returned once', () => {
    const tail = new LastFrames()
    keep(tail, ['a'])
    assert.equal(tail.frames().length, 1)
    assert.deepEqual(tail.frames(), [])
  })

  test('keep the buffer of a large turn alive for that turn only', () => {
    const tail = new LastFrames()
    const bytes = keep(tail, ['x'.repeat(100_000), 'a', 'b', 'c', 'd'])
    for (const frame of tail.frames()) assert.notEqual(frame.buffer, bytes.buffer)
  })
})

describe('the last frame with text that was not read', () => {
  const keepUnread = (tail: LastFrames, frames: readonly string[], unread: number) =>
    tail.keep(
      Buffer.from(frames.join('')),
      frames.map((_, at) => frames.slice(0, at + 1).join('').length),
      0,
      unread,
    )

  for (const [name, turns, expected] of [
    [
      'is kept however many others follow',
      [
        [['text'], 0],
        [['a', 'b', 'c', 'd', 'e'], -1],
      ],
      ['text', 'b', 'c', 'd', 'e'],
    ],
    ['is kept however many follow in its turn', [[['t', 'a', 'b', 'c', 'd', 'e'], 0]], ['t', 'b', 'c', 'd', 'e']],
    [
      'is kept if others follow one a turn',
      [[['s', 't'], 1], ...'abcde'.split('').map((f) => [[f], -1] as const)],
      ['t', 'b', 'c', 'd', 'e'],
    ],
    ['is kept once if it is among the others', [[['a', 't', 'b'], 1]], ['a', 't', 'b']],
    [
      'is only the last one',
      [
        [['s', 'a', 'b', 'c', 'd'], 0],
        [['t', 'e', 'f', 'g', 'h'], 0],
      ],
      ['t', 'e', 'f', 'g', 'h'],
    ],
  ] as [string, [string[], number][], string[]][]) {
    test(name, () => {
      const tail = new LastFrames()
      for (const [frames, unread] of turns) keepUnread(tail, frames, unread)
      assert.deepEqual(tail.frames().map(String), expected)
      assert.deepEqual(tail.frames(), [])
    })
  }
})

test('are found at once in a frame of ten thousand comments', () => {
  const tail = new LastFrames()
  const frame = Buffer.from(`${':a\r\n'.repeat(50_000)}data: x\r\n\r\n`)
  tail.keep(frame, [frame.length])
  assert.deepEqual(tail.frames(), [frame])
})
