import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { EACH, StringReplacer, wantedStrings } from '../../lib/json/replace-strings.js'
import { cutAt } from '../support/bytes.js'
import { fieldNames, type Spelled, spelledJson, written } from '../support/spelled-json.js'

const DEFAULT_PATHS = [['model']]

/** A text with its wanted strings replaced. */
function replaced(
  text: string | Buffer,
  paths: readonly (readonly string[])[] = DEFAULT_PATHS,
  replace: (value: string) => string | undefined = () => 'NEW',
  cuts: readonly number[] = [],
): string {
  const replacer = new StringReplacer(wantedStrings(paths), replace)
  const pieces = cutAt(Buffer.from(text), cuts).flatMap((chunk) => replacer.push(Buffer.from(chunk)))
  return Buffer.concat([...pieces, ...replacer.end()]).toString('latin1')
}

const latin1 = (text: string) => Buffer.from(text).toString('latin1')

describe('a wanted string is replaced', () => {
  for (const [name, text, expected] of [
    ['as most are spelled', '{"id":"c1","model":"gpt","n":1}', '{"id":"c1","model":"NEW","n":1}'],
    [
      'with white space',
      '\n { "model"\t:\r\n "gpt" \n , "a" : [ ] } \n',
      '\n { "model"\t:\r\n "NEW" \n , "a" : [ ] } \n',
    ],
    ['after a byte order mark', '\ufeff{"model":"gpt"}', '\ufeff{"model":"NEW"}'],
    ['with an escaped name', String.raw`{"mod\u0065l":"gpt"}`, String.raw`{"mod\u0065l":"NEW"}`],
    ['with escapes in it', String.raw`{"model":"g\"p\\t","x":1}`, '{"model":"NEW","x":1}'],
    ['each time it occurs', '{"model":"a","x":0,"model":"b"}', '{"model":"NEW","x":0,"model":"NEW"}'],
    ['if it is empty', '{"model":""}', '{"model":"NEW"}'],
    ['after deep values', '{"a":{"model":[{"b":"}"}]},"model":"gpt"}', '{"a":{"model":[{"b":"}"}]},"model":"NEW"}'],
    ['in an unfinished text', '{"model":"gpt","x":[1,', '{"model":"NEW","x":[1,'],
  ] as const) {
    test(name, () => assert.equal(replaced(text), latin1(expected)))
  }

  test('below other fields, and in each item of a list', () => {
    const paths = [['model'], ['response', 'model'], ['requests', EACH, 'model'], ['names', EACH]]
    const text =
      '{"response":{"x":{"model":"-"},"model":"a"},"requests":[{"model":"b"},7,{"y":1,"model":"c"}],"names":["d",{}]}'
    const expected =
      '{"response":{"x":{"model":"-"},"model":"NEW"},"requests":[{"model":"NEW"},7,{"y":1,"model":"NEW"}],"names":["NEW",{}]}'
    assert.equal(replaced(text, paths), expected)
  })

  test('in a list at the top', () => {
    assert.equal(
      replaced(' [{"model":"a"},[{"model":"b"}]] x', [[EACH, 'model']]),
      ' [{"model":"NEW"},[{"model":"b"}]] x',
    )
  })

  test('by what its value asks for', () => {
    const seen: string[] = []
    const replace = (value: string) => {
      seen.push(value)
      return value === 'b' ? 'größe "x"\n' : undefined
    }
    const text = String.raw`{"a":"\u0061","b":"b"}`
    assert.equal(replaced(text, [['a'], ['b']], replace), latin1(String.raw`{"a":"\u0061","b":"größe \"x\"\n"}`))
    assert.deepEqual(seen, ['a', 'b'])
  })
})

describe('a text stays as it is', () => {
  for (const [name, text] of [
    ['without the field', '{"a":"model","b":{"model":"x"}}'],
    ['with another value in it', '{"model":7,"a":1}'],
    ['with an object in it', '{"model":{"model":"x"}}'],
    ['with a list in it', '{"model":["x"]}'],
    ['with a similar name', '{"Model":"a","models":"b","":"c"}'],
    ['that is a list', '[{"model":"x"}]'],
    ['that is a string', '"model"'],
    ['that is a number', '7'],
    ['that is no JSON', 'model: "x"'],
    ['that stops being JSON', '{"a" "model":"x"}'],
    ['that has ended', '{} {"model":"x"}'],
    ['that is empty', ''],
    ['with a string that has no end', '{"model":"gpt'],
    ['with a very long string', `{"model":"${'x'.repeat(17_000)}","model2":"a"}`],
    ['with a string that is no JSON', '{"model":"\\x"}'],
  ] as const) {
    test(name, () => {
      assert.equal(replaced(text), text)
      assert.equal(
        replaced(
          text,
          undefined,
          undefined,
          Array.from({ length: 30 }, (_, at) => at),
        ),
        text,
      )
      assert.equal(replaced(text, undefined, undefined, [8_000, 16_000, 16_800]), text)
    })
  }

  test('and its chunk is the same buffer, if nothing is replaced', () => {
    const chunk = Buffer.from('{"model":"x"}')
    const replacer = new StringReplacer(wantedStrings(DEFAULT_PATHS), () => undefined)
    assert.deepEqual(replacer.push(chunk), [chunk])
    assert.equal(replacer.push(Buffer.alloc(0)).length, 0)
  })
})

test('a text that is no JSON is noticed', () => {
  for (const [text, isInvalid] of [
    ['{"a":1}', false],
    ['{"a":1} x', false],
    ['{"a"', false],
    ['{\ndata: "a"}', true],
    ['x', true],
  ] as const) {
    const replacer = new StringReplacer(wantedStrings(DEFAULT_PATHS), () => undefined)
    replacer.push(Buffer.from(text))
    assert.equal(replacer.isInvalid, isInvalid, text)
  }
})

test('only an unfinished wanted string is held back', () => {
  const replacer = new StringReplacer(wantedStrings(DEFAULT_PATHS), () => 'NEW')
  const push = (text: string) => [Buffer.concat(replacer.push(Buffer.from(text))).toString(), replacer.holdsNothing]
  assert.deepEqual(push('{"a":"b","mo'), ['{"a":"b","mo', true])
  assert.deepEqual(push('del":"gp'), ['del":', false])
  assert.deepEqual(push('t'), ['', false])
  assert.deepEqual(push('","x":"y'), ['"NEW","x":"y', true])
  assert.deepEqual(replacer.end(), [])
})

/** A value with the wanted strings replaced, as a person would do it: by its parts. */
function replacedParts(json: Spelled, paths: readonly (readonly string[])[]): Spelled {
  if (paths.some((path) => path.length === 0) && typeof json === 'string' && json.startsWith('"')) return '"NEW"'
  if (typeof json === 'string') return json
  const below = (key: string) => paths.filter(([first]) => first === key).map((path) => path.slice(1))
  if ('items' in json) {
    return { ...json, items: json.items.map(([a, value, b]) => [a, replacedParts(value, below(EACH)), b] as const) }
  }
  const members = json.members.map(([before, value, after]) => {
    const key = JSON.parse(before.slice(0, before.lastIndexOf(':'))) as string
    return [before, replacedParts(value, below(key)), after] as const
  })
  return { ...json, members }
}

test('any JSON, spelled in any way, in any chunks: no byte changes but those of the wanted strings', () => {
  const segment = fc.constantFrom(...fieldNames, EACH)
  const paths = fc.array(fc.array(segment, { minLength: 1, maxLength: 3 }), { maxLength: 4 })
  const replaceable = fc.tuple(spelledJson, paths, fc.array(fc.nat(200), { maxLength: 8 }))
  fc.assert(
    fc.property(replaceable, ([json, wanted, cuts]) => {
      fc.pre(typeof json !== 'string')
      const expected = latin1(written(replacedParts(json, wanted)))
      assert.equal(
        replaced(written(json), wanted, () => 'NEW', cuts),
        expected,
      )
    }),
    { numRuns: 1000 },
  )
})
