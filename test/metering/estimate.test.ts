import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { RunningEstimate } from '../../lib/metering/estimate.js'

const ENVELOPE = 180

/** A frame: so many bytes around a text. */
interface Frame {
  readonly text: string
  readonly envelope: number
}

/** What is estimated of these frames, so many of which come together, and which of them were looked into. */
function estimated(frames: readonly Frame[], together = 1): { tokens: number; looks: number[] } {
  const estimate = new RunningEstimate()
  const looks: number[] = []
  for (const [at, { text, envelope }] of frames.entries()) {
    const length = envelope + Buffer.byteLength(text)
    const isLast = (at + 1) % together === 0 || at === frames.length - 1
    if (estimate.wantsLook(length, isLast)) {
      looks.push(at)
      estimate.learn(length, text)
    } else {
      estimate.count(length)
    }
  }
  return { tokens: estimate.tokens, looks }
}

/** What an estimate by the texts alone says: a token for a short piece, a quarter of the bytes of a longer one. */
function byText(frames: readonly Frame[]): number {
  const sizes = frames.map(({ text }) => Buffer.byteLength(text)).filter((bytes) => bytes > 0)
  return sizes.reduce((sum, bytes) => sum + (bytes <= 12 ? 1 : bytes / 4), 0)
}

const framesOf = (texts: readonly string[], envelope = ENVELOPE) => texts.map((text): Frame => ({ text, envelope }))
const frames = (count: number, text: string, envelope = ENVELOPE) => framesOf(Array(count).fill(text), envelope)
const gapsOf = (looks: readonly number[]) => looks.slice(1).map((at, before) => at - looks[before]!)
const WORDS = ['The', ' quick', ' brown', ' fox', ' jumps', ',', ' over', ' the', ' lazy', ' dog', '.', '\n']
const words = (count: number) => Array.from({ length: count }, (_, at) => WORDS[at % WORDS.length]!)

function assertOffByAtMost(share: number, given: readonly Frame[], together?: number): void {
  const { tokens } = estimated(given, together)
  const off = Math.abs(tokens / byText(given) - 1)
  assert.ok(off <= share, `${tokens} instead of ${byText(given)}: ${Math.round(off * 100)} % off`)
}

describe('the running estimate', () => {
  test('is 0 before anything has come', () => assert.equal(new RunningEstimate().tokens, 0))

  for (const [what, text, tokens] of [
    ['a letter', 'a', 1],
    ['a word', ' understand', 1],
    ['a longer piece: a quarter of its bytes', 'x'.repeat(40), 10],
    ['a longer piece, in UTF-8', '漢字'.repeat(10), 15],
    ['nothing', '', 0],
  ] as const) {
    test(`of ${what}: ${tokens}`, () => assert.equal(estimated(frames(1, text)).tokens, tokens))
  }

  test('of any pieces in envelopes that are the same is that of their texts', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 30 }), { maxLength: 200 })
    fc.assert(
      fc.property(
        texts,
        fc.integer({ min: 0, max: 400 }),
        fc.integer({ min: 1, max: 50 }),
        (given, envelope, together) => {
          const all = framesOf(given, envelope)
          assert.equal(estimated(all, together).tokens, byText(all))
        },
      ),
    )
  })

  test('never shrinks, and stays a finite number, whatever comes', () => {
    const frame = fc.record({ text: fc.string({ maxLength: 60 }), length: fc.nat(500), isLast: fc.boolean() })
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 100 }), (given) => {
        const estimate = new RunningEstimate()
        for (const { text, length, isLast } of given) {
          const before = estimate.tokens
          if (estimate.wantsLook(length, isLast)) estimate.learn(length, text)
          else estimate.count(length)
          assert.ok(Number.isFinite(estimate.tokens) && estimate.tokens >= before)
        }
      }),
    )
  })

  test('of a long answer in words', () => assertOffByAtMost(0.01, framesOf(words(5000)), 20))

  test('of envelopes that vary by a byte or two', () => {
    const given = words(2000).map((text, at) => ({ text, envelope: ENVELOPE + (at % 3) }))
    assertOffByAtMost(0.05, given)
  })

  test('of frames that are padded to one length', () => {
    const given = words(2000).map((text) => ({ text, envelope: 300 - Buffer.byteLength(text) }))
    assertOffByAtMost(0.1, given)
    assertOffByAtMost(0.1, given, 50)
  })

  test('does not take comments and pings for text', () => {
    const ping = { text: '', envelope: 14 }
    const padded = words(500).map((text) => ({ text, envelope: 300 - Buffer.byteLength(text) }))
    for (const sent of [framesOf(words(500)), padded]) {
      const { tokens } = estimated(sent.flatMap((frame) => [frame, ping]))
      assert.ok(Math.abs(tokens / byText(sent) - 1) <= 0.1, `${tokens} instead of ${byText(sent)}`)
    }
  })

  test('does not take a frame without text for text that is long as a book', () => {
    const summary = { text: '', envelope: 60_000 }
    for (const given of [
      [...frames(10, 'abcd'), summary],
      Array(20)
        .fill([...frames(5, 'abcd'), summary])
        .flat(),
    ]) {
      assert.equal(estimated(given).tokens, byText(given))
    }
  })

  test('of a long piece behind short ones', () => {
    const given = [...frames(10, 'abcd'), ...frames(50, 'x'.repeat(2000))]
    assert.equal(estimated(given).tokens, byText(given))
  })

  test('a text as long as its frame leaves no envelope below 0', () => {
    const estimate = new RunningEstimate()
    for (let at = 0; at < 10; at++) estimate.learn(2, 'abcd')
    estimate.count(16)
    assert.equal(estimate.tokens, 10 + 16 / 4)
  })

  // What a model writes changes its kind, and so what stands around it: thoughts, then an answer, then a tool's arguments.
  describe('of an answer whose envelope changes behind 2,100 frames', () => {
    for (const [what, before, behind] of [
      ['by a little less (thoughts, then text)', 180, 172],
      ['by a little more (text, then thoughts)', 172, 180],
      ['to more (Anthropic: text, then arguments)', 160, 176],
      ['to less (Anthropic: arguments, then text)', 176, 160],
      ['to much more (OpenAI: text, then arguments)', 180, 228],
      ['to much less (OpenAI: arguments, then text)', 228, 180],
    ] as const) {
      test(what, () => {
        assertOffByAtMost(0.1, [...framesOf(words(2100), before), ...framesOf(words(900), behind)])
      })
    }
  })
})

describe('looks', () => {
  test('go into each frame until a few with text have come', () => {
    const { looks } = estimated([...frames(5, ''), ...frames(40, 'abc')], 45)
    assert.deepEqual(looks.slice(0, 6), [0, 1, 2, 3, 4, 5])
    assert.ok(looks.length < 20, `${looks}`)
  })

  test('become no more frequent as long as the envelope stays the same', () => {
    const gaps = gapsOf(estimated(frames(5000, 'abc')).looks).filter((gap) => gap > 1)
    assert.ok(gaps.length >= 3)
    assert.deepEqual(
      gaps,
      gaps.toSorted((a, b) => a - b),
    )
  })

  test('become no more frequent where counters in the envelope grow by a digit or two', () => {
    const same = estimated(frames(1000, 'abc', 100)).looks
    assert.deepEqual(estimated([...frames(40, 'abc', 100), ...frames(960, 'abc', 102)]).looks, same)
  })

  test('become frequent again where the envelope has changed', () => {
    const { looks } = estimated([...frames(1000, 'abc', 100), ...frames(2000, 'abc', 110)])
    const [first, second] = looks.filter((at) => at >= 1000)
    assert.ok(second! - first! <= 64, `${looks}`)
  })

  test('go into the last frame of a burst', () => {
    const { looks } = estimated(frames(300, 'abc'), 50)
    const later = looks.filter((at) => at >= 50)
    assert.ok(later.length > 0)
    for (const at of later) assert.equal(at % 50, 49)
  })

  test('are a few for a whole burst, and few over a long stream', () => {
    assert.ok(estimated(frames(10_000, 'abcd'), 10_000).looks.length <= 10)
    assert.ok(estimated(frames(10_000, 'abcd')).looks.length <= 10_000 / 32)
  })

  test('go into much longer frames each time, as long as they hold no text', () => {
    const { looks } = estimated(
      Array(20)
        .fill([...frames(9, 'abcd'), { text: '', envelope: 5000 }])
        .flat(),
    )
    for (let at = 9; at < 200; at += 10) assert.ok(looks.includes(at), `${at}`)
  })

  test('and not into long ones that hold text, once they are known', () => {
    const { looks } = estimated([...frames(10, 'abcd'), ...frames(60, 'x'.repeat(2000))], 70)
    assert.ok(looks.length <= 12, `${looks}`)
  })
})
