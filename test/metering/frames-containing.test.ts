import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { framesContaining } from '../../lib/metering/frames-containing.js'

const MARKER = '"usage"'

/** The indexes that are found in these frames. */
function found(frames: readonly string[], marker = MARKER): readonly number[] {
  let end = 0
  const ends = frames.map((frame) => {
    end += frame.length
    return end
  })
  return framesContaining(Buffer.from(frames.join('')), ends, Buffer.from(marker))
}

const run = (count: number, frame: string) => Array.from({ length: count }, () => frame)

describe('the frames with a marker', () => {
  for (const [name, frames, expected] of [
    ['of none', [], []],
    ['of one without', ['data: {}'], []],
    ['of one with', [`data: {${MARKER}}`], [0]],
    ['at the very beginning and the very end of frames', [`${MARKER}x`, 'y', `z${MARKER}`], [0, 2]],
    ['side by side', [MARKER, MARKER], [0, 1]],
    ['twice in one frame', [`${MARKER}-${MARKER}`, 'x'], [0]],
    ['only in the last', [...run(50, 'x'), MARKER], [50]],
    ['only in the first', [MARKER, ...run(50, 'x')], [0]],
    ['eight', run(8, MARKER), [0, 1, 2, 3, 4, 5, 6, 7]],
    ['nine: the one in the middle is left out', run(9, MARKER), [0, 1, 2, 3, 5, 6, 7, 8]],
    ['five', ['x', ...run(5, MARKER), 'x'], [1, 2, 3, 4, 5]],
    ['a hundred', run(100, MARKER), [0, 1, 2, 3, 96, 97, 98, 99]],
    ['many, twice in each', run(20, MARKER + MARKER), [0, 1, 2, 3, 16, 17, 18, 19]],
  ] as const) {
    test(name, () => assert.deepEqual(found(frames), expected))
  }

  test('a marker that spans two frames hides no marked frame', () => {
    const [head, tail] = [MARKER.slice(0, 3), MARKER.slice(3)]
    assert.ok(found([`x${head}`, `${tail}y`, MARKER]).includes(2))
    assert.ok(found([MARKER, `x${head}`, `${tail}y`]).includes(0))
  })

  test('the first four and the last four are found, in order, without duplicates', () => {
    const frame = fc.oneof(
      fc.constantFrom('x', '\n\n', 'data: {"usagE":1}', ': usage\n'),
      fc.constantFrom(MARKER, `data: {${MARKER}:1}`, `${MARKER}${MARKER}`),
    )
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 40 }), (frames) => {
        const marked = frames.flatMap((each, at) => (each.includes(MARKER) ? [at] : []))
        const expected = [...new Set([...marked.slice(0, 4), ...marked.slice(-4)])]
        assert.deepEqual(found(frames), expected)
      }),
    )
  })

  test('in arbitrary bytes, at most eight markers are found, in order and within the frames', () => {
    const bytes = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 60 })
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 20 }), fc.constantFrom('a', 'ab', 'aba'), (given, marker) => {
        const frames = given.filter((frame) => frame !== '')
        const indexes = found(frames, marker)
        assert.deepEqual(
          indexes,
          [...new Set(indexes)].sort((a, b) => a - b),
        )
        assert.ok(indexes.length <= 8)
        for (const at of indexes) {
          // It may end in the frames behind.
          const begins = frames.slice(at).join('').indexOf(marker)
          assert.ok(begins !== -1 && begins < frames[at]!.length, `${at} of ${JSON.stringify(frames)}`)
        }
      }),
    )
  })
})
