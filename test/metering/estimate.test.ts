import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import fc from 'fast-check'
import { UsageAccumulator } from '../../lib/exchange/usage-accumulator.js'
import { RunningEstimate } from '../../lib/metering/estimate.js'
import { StreamMeter } from '../../lib/metering/stream-meter.js'
import { sizeOf } from '../../lib/util/size-of.js'
import { type Piece, piecesOfCharacters, piecesOfTokens, type Wire, wires } from './text-streams.js'
import { type TokenisedText, texts } from './texts.js'

const OPTIONS = { sent: { bytes: 0 }, hidesUsage: false, estimateTokens: undefined, onMessage: undefined }

describe('known locations of text in frames', () => {
  const frame = (kind: number) =>
    Buffer.from(`data: {"kind-${'k'.repeat(kind)}":"","content":"Once upon a time","id":1}\n\n`)
  const isKnown = (estimate: RunningEstimate, kind: number) => estimate.count(frame(kind), 0, frame(kind).length)

  test('are limited to eight kinds; the kind that was seen longest ago is forgotten', () => {
    const estimate = new RunningEstimate()
    for (let kind = 0; kind < 9; kind++) estimate.learn(frame(kind), 'Once upon a time')
    assert.equal(isKnown(estimate, 0), false)
    for (let kind = 1; kind < 9; kind++) assert.equal(isKnown(estimate, kind), true, `${kind}`)
  })
})

/** What is estimated of these frames, so many of which come together. */
function estimated({ format, framing }: Wire, frames: readonly Buffer[], together = 1): number {
  const accumulator = new UsageAccumulator()
  const passage = new StreamMeter(format, framing, accumulator, OPTIONS)
  for (let from = 0; from < frames.length; from += together) {
    const turn = frames.slice(from, from + together)
    passage.pass(
      Buffer.concat(turn),
      turn.map((_, at) => sizeOf(turn.slice(0, at + 1))),
      1,
    )
    passage.readDeferred(1)
  }
  return accumulator.estimatedTokens
}

const sizes: readonly [name: string, cut: (text: TokenisedText) => Piece[]][] = [
  ['a token', (text) => piecesOfTokens(text, 1)],
  ['three tokens', (text) => piecesOfTokens(text, 3)],
  ['50 characters', (text) => piecesOfCharacters(text, 50)],
  ['everything', (text) => piecesOfCharacters(text, 1e6)],
]

interface Cut {
  readonly wire: Wire
  readonly text: TokenisedText
  readonly size: string
  readonly off: number
}

/** Each stream of each wire, cut behind a quarter, a half and three quarters of its pieces, and not cut at all. */
const cuts: Cut[] = wires.flatMap((wire) =>
  texts
    .filter(({ kind }) => wire.kinds.includes(kind))
    .flatMap((text) =>
      sizes.flatMap(([size, cut]) => {
        const pieces = cut(text)
        const frames = pieces.map((piece, at) => wire.frame(piece.text, text.kind, at))
        const behind = new Set([0.25, 0.5, 0.75, 1].map((share) => Math.ceil(share * pieces.length)))
        return [...behind]
          .filter((count) => pieces[count - 1]!.tokens >= 20)
          .map((count): Cut => {
            const off = estimated(wire, frames.slice(0, count)) / pieces[count - 1]!.tokens - 1
            return { wire, text, size, off }
          })
      }),
    ),
)

function assertClose(some: readonly Cut[]): void {
  assert.ok(some.length > 0)
  const within = (most: number) => some.filter(({ off }) => Math.abs(off) <= most).length / some.length
  const worst = some.reduce((a, b) => (Math.abs(a.off) > Math.abs(b.off) ? a : b))
  const told = `${worst.wire.name}, ${worst.text.name}, ${worst.size}: ${Math.round(worst.off * 100)} % off`
  assert.ok(within(0.1) >= 0.8, `${Math.round(within(0.1) * 100)} % within 10 %; the worst: ${told}`)
  assert.ok(within(0.25) >= 0.95, `${Math.round(within(0.25) * 100)} % within 25 %; the worst: ${told}`)
  assert.ok(Math.abs(worst.off) <= 0.6, told)
}

describe('if streams of all formats break off, the estimate is near what OpenAI’s tokeniser counts', () => {
  test('for all together', () => assertClose(cuts))
  for (const wire of wires) test(wire.name, () => assertClose(cuts.filter((cut) => cut.wire === wire)))
  for (const [size] of sizes) test(`at ${size} per event`, () => assertClose(cuts.filter((cut) => cut.size === size)))
  for (const kind of ['text', 'arguments', 'reasoning'] as const) {
    test(kind, () => assertClose(cuts.filter(({ text }) => text.kind === kind)))
  }
})

/** A stream that thinks, answers, calls a tool, and answers again. */
function mixedFrames(wire: Wire): Buffer[] {
  const parts = texts.filter(({ kind }) => wire.kinds.includes(kind))
  return parts.flatMap((text) =>
    piecesOfTokens(text, 2)
      .slice(0, 60)
      .map((piece, at) => wire.frame(piece.text, text.kind, at)),
  )
}

describe('the estimate of the same stream', () => {
  for (const wire of wires) {
    test(`does not depend on how it is grouped into chunks: ${wire.name}`, () => {
      const frames = mixedFrames(wire)
      const expected = estimated(wire, frames)
      for (const together of [2, 7, 64, frames.length]) assert.equal(estimated(wire, frames, together), expected)
    })
  }

  test('depends on its kinds of events as little as their texts do', () => {
    for (const wire of wires) {
      const some = texts.filter(({ kind }) => wire.kinds.includes(kind))
      const frames = some.flatMap((text) =>
        piecesOfTokens(text, 1).map((piece, at) => wire.frame(piece.text, text.kind, at)),
      )
      const truth = some.reduce((sum, { tokens }) => sum + tokens.length, 0)
      const off = estimated(wire, frames) / truth - 1
      assert.ok(Math.abs(off) <= 0.1, `${wire.name}: ${Math.round(off * 100)} % off`)
    }
  })
})

describe('few events of a stream are parsed', () => {
  // Nothing can be found in base64 without decoding it; Gemini tells usage with every event.
  for (const wire of wires.filter(({ name }) => !/invoke|Gemini/.test(name))) {
    test(wire.name, () => {
      const readMessage = mock.fn(wire.format.readMessage)
      const frames = piecesOfTokens(texts[0]!, 1).map((piece, at) => wire.frame(piece.text, 'text', at))
      estimated({ ...wire, format: { ...wire.format, readMessage } }, frames)
      const parsed = readMessage.mock.callCount()
      assert.ok(frames.length > 200 && parsed <= 12, `${parsed} of ${frames.length}`)
    })
  }
})

describe('the running estimate', () => {
  const chat = wires[0]!
  const frame = (text: string) => chat.frame(text, 'text', 3)

  /** What is counted of frames with these texts, one after the other. */
  function counted(pieces: readonly string[]): RunningEstimate {
    const estimate = new RunningEstimate()
    for (const text of pieces) {
      const bytes = frame(text)
      if (estimate.count(bytes, 0, bytes.length)) continue
      estimate.add(text)
      if (text) estimate.learn(bytes, text)
    }
    return estimate
  }

  test('is 0 before anything has come', () => assert.equal(new RunningEstimate().tokens, 0))

  test('does not depend on where a text is split', () => {
    const unit = fc.constantFrom('a', 'word', ' ', 'Ä', '\n', '"', '\\', '9', '漢', '😀', '.', "'s", '—')
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 60 }), (units) => {
        const whole = counted([units.join('')]).tokens
        assert.ok(Math.abs(counted(units).tokens - whole) < 1e-6)
      }),
    )
  })

  test('stays finite for any input', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 })
    fc.assert(
      fc.property(fc.array(text, { maxLength: 30 }), (pieces) => {
        const { tokens } = counted(pieces)
        assert.ok(Number.isFinite(tokens) && tokens >= 0)
      }),
    )
  })

  test('uses the token counts of the app', () => {
    const estimate = new RunningEstimate()
    estimate.add('one', 7)
    estimate.add('two', 0)
    assert.equal(estimate.tokens, 7)
  })

  test('counts a text that an event contains twice', () => {
    const estimate = counted(['one'])
    const bytes = Buffer.from('data: {"choices":[{"delta":{"content":" two"},"message":{"content":" two"}}]}\n\n')
    assert.equal(estimate.count(bytes, 0, bytes.length), false)
    estimate.add(' two')
    estimate.learn(bytes, ' two')
    assert.equal(Math.round(estimate.tokens), 2)
  })

  test('parses an event that has more than the text of its kind', () => {
    const estimate = counted(['one', ' two', ' three'])
    const more = Buffer.from(String(frame(' four')).replace('"content":" four"', '"content":" four","refusal":"no"'))
    assert.equal(estimate.count(more, 0, more.length), false)
    const before = estimate.tokens
    assert.equal(estimate.count(frame(' four'), 0, frame(' four').length), true)
    assert.ok(estimate.tokens > before)
  })

  test('does not parse what is too short to hold a text, or has no string', () => {
    const estimate = counted(['one'])
    for (const text of ['a\n\n', ': ping\n\n', 'data:1\n\n', ': a comment of some length\n\n']) {
      assert.equal(estimate.count(Buffer.from(text), 0, text.length), true)
    }
    assert.equal(Math.round(estimate.tokens), 1)
  })
})
