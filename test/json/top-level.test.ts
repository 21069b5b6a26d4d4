import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { topLevelFields, topLevelSpans } from '../../lib/json/top-level.js'

const names = ['model', 'stream']
const fieldsOf = (text: string) => {
  const found = topLevelFields(Buffer.from(text), names)
  return found && { ...found }
}

describe('the top-level fields of a JSON object', () => {
  test('equal those of JSON.parse, whatever surrounds them', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue(), { maxKeys: 5 }),
        fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
        fc.option(fc.oneof(fc.boolean(), fc.constant(null), fc.integer()), { nil: undefined }),
        fc.option(fc.constantFrom(1, '\t'), { nil: undefined }),
        (around, model, stream, indent) => {
          const body: Record<string, unknown> = { ...around, model, before: [{ model: 'inner' }], stream, after: '"}' }
          const text = JSON.stringify(body, null, indent)
          const parsed = JSON.parse(text)
          const expected = Object.fromEntries(
            names.filter((name) => name in parsed).map((name) => [name, parsed[name]]),
          )
          assert.deepEqual(fieldsOf(text), expected)
        },
      ),
    )
  })

  for (const [text, expected] of [
    ['{}', {}],
    [' { "mo\\u0064el" : "a" } ', { model: 'a' }],
    ['{"x":"\\\\","model":"b"}', { model: 'b' }],
    ['{"x":"\\"","stream":true}', { stream: true }],
    ['{"model":"a","model":"b"}', { model: 'b' }],
    ['{"__proto__":{"model":"x"}}', {}],
    ['[{"model":"a"}]', undefined],
    ['{"model" "a"}', undefined],
    ['{"model":"a"', undefined],
    ['{"model":"a"]}', undefined],
    ['{"model":"a"],"stream":[}', { model: undefined }],
    ['', undefined],
  ] as const) {
    test(`${text}: ${JSON.stringify(expected)}`, () => assert.deepEqual(fieldsOf(text), expected))
  }

  test('are found without building anything else', (t) => {
    const parse = t.mock.method(JSON, 'parse')
    const nested = `{"messages":[${'[[{"a":1}]],'.repeat(10_000)}1],"model":"m"}`
    assert.deepEqual(fieldsOf(nested), { model: 'm' })
    assert.deepEqual(
      parse.mock.calls.map((call) => call.arguments[0]),
      ['"m"'],
    )
  })

  test('of arbitrary bytes cause no exception, and the scan ends', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void topLevelFields(Buffer.from(bytes), names)))
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'{}[]":,\\am ') }), (text) => void fieldsOf(text)))
  })
})

describe('positions of the values of top-level fields', () => {
  const spansOf = (text: string) => {
    const bytes = Buffer.from(text)
    const spans = topLevelSpans(bytes, names)
    return (
      spans &&
      [...spans].map(([name, { start, end, isRepeated }]) => [name, bytes.toString('utf8', start, end), isRepeated])
    )
  }

  for (const [text, expected] of [
    ['{}', []],
    ['{"model":"a"}', [['model', '"a"', false]]],
    [
      '{"stream":true,"model":"a"}',
      [
        ['stream', 'true', false],
        ['model', '"a"', false],
      ],
    ],
    ['{"model":{"x":["}",{}]},"y":1}', [['model', '{"x":["}",{}]}', false]]],
    [
      '{"model":"größe","stream":1}',
      [
        ['model', '"größe"', false],
        ['stream', '1', false],
      ],
    ],
    ['\uFEFF{"model":1}', [['model', '1', false]]],
    // Which of two counts is up to the reader.
    ['{"model":"a","x":1,"model":"b"}', [['model', '"b"', true]]],
    ['{"model":"a","mo\\u0064el":"b"}', [['model', '"b"', true]]],
    ['{"model":1,"model":2,"model":3}', [['model', '3', true]]],
    ['{"x":{"model":"a"},"model":"b"}', [['model', '"b"', false]]],
    ['["model"]', undefined],
    ['{"model":"a"', undefined],
    ['', undefined],
  ] as const) {
    test(`${text}: ${JSON.stringify(expected)}`, () => assert.deepEqual(spansOf(text), expected))
  }

  test('include white space after a value, but not a comma', () => {
    assert.deepEqual(spansOf('{ "model" :  "a"  , "stream":true }'), [
      ['model', '"a"  ', false],
      ['stream', 'true ', false],
    ])
  })

  test('cover a value of any length', () => {
    const long = JSON.stringify('x'.repeat(100_000))
    assert.deepEqual(spansOf(`{"model":${long}}`), [['model', long, false]])
  })

  test('point to the bytes of the value that JSON.parse returns', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.jsonValue(),
        fc.boolean(),
        (around, model, isFirst) => {
          const { model: _, ...others } = around
          const text = JSON.stringify(isFirst ? { model, ...others } : { ...others, model }, null, isFirst ? 1 : 0)
          const span = topLevelSpans(Buffer.from(text), ['model'])?.get('model')
          assert.ok(span && !span.isRepeated)
          assert.deepEqual(JSON.parse(Buffer.from(text).toString('utf8', span.start, span.end)), JSON.parse(text).model)
        },
      ),
    )
  })

  test('of arbitrary bytes cause no exception, and stay within them', () => {
    const text = fc.string({ unit: fc.constantFrom(...'{}[]":,\\am ', '"model":') })
    fc.assert(
      fc.property(
        fc.oneof(
          text.map((each) => Buffer.from(each)),
          fc.uint8Array().map((each) => Buffer.from(each)),
        ),
        (bytes) => {
          for (const { start, end } of topLevelSpans(bytes, names)?.values() ?? []) {
            assert.ok(start <= end && end <= bytes.length)
          }
        },
      ),
    )
  })
})
