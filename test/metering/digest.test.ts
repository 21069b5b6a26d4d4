import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { JsonDigest } from '../../lib/metering/digest.js'
import { cutAt, piecesOf } from '../support/bytes.js'

const KIB = 1024

function digestOf(chunks: readonly Buffer[], names: readonly string[]): unknown {
  const digest = new JsonDigest(names)
  for (const chunk of chunks) digest.push(chunk)
  return digest.value
}

const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value))

describe('a digest of JSON', () => {
  test('has the requested fields, however they are split and spaced', () => {
    const object = fc.dictionary(fc.oneof(fc.constantFrom('a', 'b', 'ü"\\'), fc.string()), fc.jsonValue(), {
      noNullPrototype: true,
    })
    fc.assert(
      fc.property(object, fc.array(fc.nat(), { maxLength: 8 }), fc.constantFrom(undefined, 2), (value, cuts, space) => {
        const expected = Object.fromEntries(Object.entries(value).filter(([name]) => ['a', 'b', 'ü"\\'].includes(name)))
        const bytes = Buffer.from(JSON.stringify(value, null, space))
        const chunks = cutAt(
          bytes,
          cuts.map((cut) => cut % (bytes.length + 1)).sort((x, y) => x - y),
        )
        assert.deepEqual(digestOf(chunks, ['a', 'b', 'ü"\\']), JSON.parse(JSON.stringify(expected)))
      }),
      { numRuns: 500 },
    )
  })

  for (const size of [1, 7, 64 * KIB]) {
    test(`truncates long strings, and reads what follows them, in chunks of ${size} bytes`, () => {
      const picture = 'iVBOR\\"\u00e9'.repeat(size === 1 ? 4000 : 40_000)
      const answer = { candidates: [{ parts: [{ data: picture }, { text: 'Hi' }], finishReason: 'STOP' }], id: 'r1' }
      const digest = digestOf(piecesOf(bytesOf(answer), size), ['candidates', 'id']) as typeof answer
      const [{ parts, finishReason }] = digest.candidates as [(typeof answer.candidates)[0]]
      assert.deepEqual([parts[1], finishReason, digest.id], [{ text: 'Hi' }, 'STOP', 'r1'])
      const [{ data }] = parts as [{ data: string }]
      assert.ok(data.length > 8 * KIB && data.length <= 16 * KIB)
      assert.ok(picture.startsWith(data.replace(/\uFFFD$/, '')))
    })
  }

  test('truncates long arrays, and continues after them', () => {
    const answer = { choices: [{ logprobs: Array.from({ length: 100_000 }, () => [0.5, 'x']), finish_reason: 'stop' }] }
    const digest = digestOf(piecesOf(bytesOf(answer), 1000), ['choices']) as typeof answer
    const [choice] = digest.choices as [(typeof answer.choices)[0]]
    assert.equal(choice.finish_reason, 'stop')
    assert.ok(choice.logprobs.length < 10_000)
    assert.ok(choice.logprobs.length > 1000)
  })

  test('bounds objects with endless fields, and endless nesting', () => {
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`field ${at}`, at]))
    const digest = digestOf([bytesOf({ a: wide, b: 1 })], ['a', 'b']) as { a: object; b: number }
    assert.ok(Object.keys(digest.a).length < 20_000)
    assert.equal(digest.b, 1)
    const deep = Buffer.from(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)},"b":1}`)
    assert.equal((digestOf(piecesOf(deep, 5000), ['a', 'b']) as { b: number }).b, 1)
  })

  for (const [what, text] of [
    ['half an object', '{"a":1,"b":'],
    ['an array', '[{"a":1}]'],
    ['a string', '"{}"'],
    ['nothing', ''],
    ['invalid JSON', '{"a":nothing}'],
  ] as const) {
    test(`is undefined for ${what}`, () => assert.equal(digestOf([Buffer.from(text)], ['a']), undefined))
  }

  test('accepts a byte order mark', () => assert.deepEqual(digestOf([Buffer.from('\uFEFF {"a":1}')], ['a']), { a: 1 }))
})
