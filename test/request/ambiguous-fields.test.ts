import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EACH } from '../../lib/json/replace-strings.js'
import { rejectAmbiguousFields } from '../../lib/request/ambiguous.js'
import type { Given } from './editing.js'
import { edited } from './editing.js'

const paths = [['model'], ['options'], ['options', 'num_predict'], ['a', 'b', 'c']]
const check = (text: string, given: string[][] = paths) => rejectAmbiguousFields(Buffer.from(text), given)

describe('a field is rejected', () => {
  for (const [name, text, told] of [
    ['twice', '{"model":1,"model":1}', 'model'],
    ['twice, even if it is not relevant', '{"x":1,"y":2,"x":1}', 'x'],
    ['twice in different case, even if it is not relevant', '{"messages":1,"Messages":2}', 'Messages'],
    ['twice in letters that Go treats as equal', '{"messages":1,"me\u017fsages":2}', 'me\u017fsages'],
    ['in another case', '{"MODEL":1}', 'MODEL'],
    ['escaped, in another case', String.raw`{"\u004dodel":1}`, 'Model'],
    ['escaped, twice', String.raw`{"model":1,"\u006dodel":1}`, 'model'],
    ['in letters that Go treats as equal', '{"option\u017f":1}', 'option\u017f'],
    ['that contains relevant fields, in another case', '{"A":{"b":{"c":1}}}', 'A'],
    ['twice within an object', '{"options":{"num_predict":9,"x":1,"num_predict":1}}', 'options.num_predict'],
    ['in another case within an object', '{ "options" : { "Num_Predict" : 1 } }', 'options.Num_Predict'],
    ['deep within', '{"a":{"b":{"c":1,"C":2}}}', 'a.b.C'],
    ['halfway', '{"a":{"b":{"c":1},"b":{"c":1}}}', 'a.b'],
    ['of any length', `{"${'x'.repeat(100)}":1,"${'x'.repeat(100)}":1}`, 'x'.repeat(64)],
  ] as const) {
    test(name, () => {
      const message = `The request body has ${JSON.stringify(told)} twice, or in another spelling`
      assert.throws(() => check(text), { code: 'invalid_request', status: 400, message })
    })
  }

  test('if two relevant fields differ only in case, and both are present', () => {
    const both = [['model'], ['Model']]
    check('{"model":1}', both)
    check('{"Model":1}', both)
    assert.throws(() => check('{"model":1,"Model":2}', both), { code: 'invalid_request' })
  })
})

test('two top-level spellings that Google treats as one field are rejected if the provider reads both', () => {
  const text = Buffer.from('{"systemInstruction":1,"system_instruction":2}')
  assert.throws(() => rejectAmbiguousFields(text, paths, true), { code: 'invalid_request' })
  assert.doesNotThrow(() => rejectAmbiguousFields(text, paths, false))
})

test('an object with a relevant field is rejected if it has more than 10,000 fields', () => {
  const fields = (count: number) => Array.from({ length: count }, (_, at) => `"${at}":1`).join(',')
  check(`{"options":{${fields(10_000)}},"other":{${fields(10_001)}}}`)
  assert.throws(() => check(`{"options":{${fields(10_001)}}}`), { code: 'invalid_request', message: /10000 fields/ })
})

describe('a body passes', () => {
  for (const [name, text] of [
    ['with each field once', '{"model":1,"options":{"num_predict":1,"seed":1},"a":{"b":{"c":1}}}'],
    ['with irrelevant fields twice within objects', '{"options":{"x":1,"x":2},"y":{"model":1,"model":2,"Model":3}}'],
    ['with top-level names elsewhere', '{"options":{"model":1,"Model":2},"num_predict":1,"C":1}'],
    ['with other values than objects', '{"options":[{"num_predict":1,"num_predict":2}],"a":"{\\"B\\":1}"}'],
    ['with names that every object inherits', '{"__proto__":{"constructor":1},"constructor":1}'],
    ['that is not an object', '[{"Model":1}]'],
  ] as const) {
    test(name, () => assert.doesNotThrow(() => check(text)))
  }
})

describe('a field is relevant if the options mention it', () => {
  const refused: [string, string, Given][] = [
    ['defaults', '{"Temperature":1}', { modelOptions: { defaults: { temperature: 0 } } }],
    ['fields within defaults', '{"o":{"P":{"x":1}}}', { modelOptions: { defaults: { o: { p: {} } } as never } }],
    ['fields within overrides', '{"o":{"p":1,"p":2}}', { modelOptions: { overrides: { o: { p: 2 } } as never } }],
    [
      'overrides, which also apply to extra_body',
      '{"extra_body":{"temperature":1,"Temperature":2}}',
      { modelOptions: { overrides: { temperature: 0 } } },
    ],
    ['a default limit', '{"Max_Tokens":9}', { modelOptions: { defaults: { maxOutputTokens: 5 } } }],
    ["Ollama's limit", '{"Num_Predict":9}', { modelOptions: { defaults: { maxOutputTokens: 5 } } }],
    ["Google's limit", '{"MaxOutputTokens":9}', { modelOptions: { defaults: { maxOutputTokens: 5 } } }],
    [
      'names that every object inherits',
      '{"Constructor":1}',
      { modelOptions: { overrides: { constructor: 5 } as never } },
    ],
  ]
  for (const [name, text, given] of refused) {
    test(`${name}: ${text} is rejected`, async () => {
      await assert.rejects(edited(text, given), { code: 'invalid_request' })
    })
  }

  const passing: [string, string, Given][] = [
    ['no limit', '{"Max_Tokens":9}', { modelOptions: { defaults: { temperature: 0 } } }],
    ['a name that is no limit', '{"Predict":9}', { modelOptions: { defaults: { maxOutputTokens: 5 } } }],
    [
      'a limit for an endpoint that generates nothing',
      '{"Max_Tokens":9}',
      { modelOptions: { overrides: { maxOutputTokens: 5 } }, path: '/v1/messages/count_tokens' },
    ],
    ['no options', '{"o":{"model":1,"model":2},"Temperature":1}', { onRequest: () => undefined }],
  ]
  for (const [name, text, given] of passing) {
    test(`${name}: ${text} passes`, async () => assert.ok((await edited(text, given)).text))
  }
})

test('names much longer than the relevant ones are not case-folded, but duplicates of them are rejected', (t) => {
  const long = 'ж'.repeat(2000)
  const folded = t.mock.method(String.prototype, 'toUpperCase')
  rejectAmbiguousFields(Buffer.from(`{"model":"m","Other":1,"${long}":1}`), [['model']], true)
  const lengths = folded.mock.calls.map(({ this: name }) => String(name).length)
  folded.mock.restore()
  assert.ok(lengths.length > 0 && Math.max(...lengths) < 100)
  assert.throws(() => rejectAmbiguousFields(Buffer.from(`{"${long}":1,"${long}":2}`), [['model']]), {
    code: 'invalid_request',
  })
})

describe('the objects of a list', () => {
  const listed = [['tools', EACH, 'model']]
  for (const [name, text] of [
    ['a field twice', '{"tools":[{"model":"x","model":"m"}]}'],
    ['in another case', '{"tools":[1,"{",[{}], {"type":"t","Model":"x"}]}'],
    ['escaped, after others', String.raw`{"tools":["]",{"a":"\"]}"},{"model":1,"model":2}]}`],
    ['more than 1,000 objects', `{"tools":[${Array(1001).fill('{}')}]}`],
    ['more than 4 MiB', `{"tools":["${'x'.repeat(4 * 1024 * 1024)}"]}`],
  ] as const) {
    test(`${name}: rejected`, () => assert.throws(() => check(text, listed), { code: 'invalid_request' }))
  }

  for (const text of [
    '{"tools":[{"model":"m"},{"model":"n","x":1,"X":2}]}',
    '{"tools":[{"function":{"parameters":{"model":1,"Model":2}}}]}',
    '{"tools":{"Model":1}}',
    '{"tools":"[{]"}',
    '{"tools":[]}',
    `{"tools":[${Array(1000).fill('{}')}]}`,
  ]) {
    test(`${text.slice(0, 70)}: accepted`, () => check(text, listed))
  }
})
