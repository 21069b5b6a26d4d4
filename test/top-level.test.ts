import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { topLevelFields } from '../lib/top-level.js'

const names = ['model', 'stream']
const fieldsOf = (text: string) => {
  const found = topLevelFields(Buffer.from(text), names)
  return found && { ...found }
}

describe('the top-level fields of a JSON object', () => {
  test('are what JSON.parse says, whatever stands around them', () => {
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
    ['', undefined],
  ] as const) {
    test(`${text}: ${JSON.stringify(expected)}`, () => assert.deepEqual(fieldsOf(text), expected))
  }

  test('builds nothing of what it passes over', (t) => {
    const parse = t.mock.method(JSON, 'parse')
    const nested = `{"messages":[${'[[{"a":1}]],'.repeat(10_000)}1],"model":"m"}`
    assert.deepEqual(fieldsOf(nested), { model: 'm' })
    assert.deepEqual(
      parse.mock.calls.map((call) => call.arguments[0]),
      ['"messages"', '"model"', '"m"'],
    )
  })

  test('any bytes at all: no exception, and an end', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void topLevelFields(Buffer.from(bytes), names)))
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'{}[]":,\\am ') }), (text) => void fieldsOf(text)))
  })
})
