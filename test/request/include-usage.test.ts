import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatNames, getFormat } from '../../lib/formats/index.js'
import { certainlyAsksForStream, withUsageRequest } from '../../lib/request/include-usage.js'

const ASKED = '"stream_options":{"include_usage":true}'

function asked(text: string, format = getFormat('openai-chat')): [text: string, isOurs: boolean] {
  const { bytes, isOurs } = withUsageRequest(Buffer.from(text), format)
  return [bytes.toString(), isOurs]
}

describe('a request that does not ask for usage', () => {
  for (const [name, text, expected] of [
    ['as most are spelled', '{"model":"m","stream":true}', `{${ASKED},"model":"m","stream":true}`],
    ['with white space', '\n { \t"stream" : true\n}\n', `\n {${ASKED}, \t"stream" : true\n}\n`],
    ['with a byte order mark', '\uFEFF{"stream":true}', `\uFEFF{${ASKED},"stream":true}`],
    ['an empty object', '{}', `{${ASKED}}`],
    ['an empty object with white space', ' { \n } ', ` {${ASKED} \n } `],
    [
      'numbers that JavaScript cannot hold',
      '{"seed":12345678901234567890,"t":1.0}',
      `{${ASKED},"seed":12345678901234567890,"t":1.0}`,
    ],
    ['the field nested deeper', '{"x":{"stream_options":{}}}', `{${ASKED},"x":{"stream_options":{}}}`],
    ['the field within a string', '{"x":"\\"stream_options\\":1"}', `{${ASKED},"x":"\\"stream_options\\":1"}`],
    ['letters beyond ASCII', '{"a":"größe 漢字 👋"}', `{${ASKED},"a":"größe 漢字 👋"}`],
  ] as const) {
    test(`gets stream_options with include_usage: ${name}`, () => {
      assert.deepEqual(asked(text), [expected, true])
      JSON.parse(expected.replace('\uFEFF', ''))
    })
  }

  test('gets stream_options with include_usage: an empty object with much white space', () => {
    const [text] = asked(`{${' '.repeat(100)}}`)
    assert.deepEqual(JSON.parse(text), { stream_options: { include_usage: true } })
  })

  test('keeps bytes that are not UTF-8', () => {
    const given = Buffer.from('{"a":"\xff\xfe"}', 'latin1')
    const { bytes } = withUsageRequest(given, getFormat('openai-chat'))
    assert.equal(bytes.toString('latin1'), `{${ASKED},"a":"\xff\xfe"}`)
  })

  test('keeps every byte and value, for any JSON object', () => {
    const object = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue(), { maxKeys: 6 })
    const indents = fc.constantFrom(undefined, 1, '\t', '\r\n ')
    fc.assert(
      fc.property(object, indents, (body, indent) => {
        fc.pre(!Object.hasOwn(body, 'stream_options'))
        const text = JSON.stringify(body, null, indent)
        const [result, isOurs] = asked(text)
        assert.equal(isOurs, true)
        assert.deepEqual(JSON.parse(result), { stream_options: { include_usage: true }, ...JSON.parse(text) })
        assert.equal(result.replace(ASKED, '').replace('{,', '{'), text)
      }),
    )
  })
})

describe('a request with stream_options of its own', () => {
  for (const [name, text, expected, isOurs] of [
    ['that asks', `{"a":1,${ASKED}}`, `{"a":1,${ASKED}}`, false],
    [
      'that asks, and more',
      '{"stream_options":{"x":1, "include_usage" :true}}',
      '{"stream_options":{"x":1, "include_usage" :true}}',
      false,
    ],
    [
      'that asks, followed by white space',
      '{"stream_options":{"include_usage":true\n}}',
      '{"stream_options":{"include_usage":true\n}}',
      false,
    ],
    [
      'that does not ask',
      '{"stream_options":{"x":1},"a":1.0}',
      '{"stream_options":{"x":1,"include_usage":true},"a":1.0}',
      true,
    ],
    ['that asks not to', '{"a":1.0,"stream_options":{"include_usage":false}}', `{"a":1.0,${ASKED}}`, true],
    ['that asks with an invalid value', '{"stream_options":{"include_usage":1}}', `{${ASKED}}`, true],
    ['empty', '{ "stream_options" : {} , "a" : 1 }', '{ "stream_options" : {"include_usage":true}, "a" : 1 }', true],
    ['null', '{"stream_options":null}', `{${ASKED}}`, true],
    ['no object', '{"stream_options":[1]}', `{${ASKED}}`, true],
    [
      'with numbers that JavaScript cannot hold',
      '{"stream_options":{ "x":12345678901234567890, "include_usage" : null, "y":1.0 }}',
      '{"stream_options":{ "x":12345678901234567890, "include_usage" : true, "y":1.0 }}',
      true,
    ],
    ['with white space', '{"stream_options": { \n } }', '{"stream_options": { \n "include_usage":true}}', true],
    [
      'with the flag escaped',
      '{"stream_options":{"include\\u005fusage":true}}',
      '{"stream_options":{"include\\u005fusage":true}}',
      false,
    ],
    [
      'with the flag nested deeper',
      '{"stream_options":{"x":{"include_usage":true}}}',
      '{"stream_options":{"x":{"include_usage":true},"include_usage":true}}',
      true,
    ],
    [
      'with the flag twice: the last counts',
      '{"stream_options":{"include_usage":true,"include_usage":0}}',
      '{"stream_options":{"include_usage":true,"include_usage":true}}',
      true,
    ],
    ['with its name escaped', '{"stream\\u005foptions":null}', '{"stream\\u005foptions":{"include_usage":true}}', true],
    ['twice: the last counts', `{"stream_options":null,${ASKED}}`, `{"stream_options":null,${ASKED}}`, false],
    [
      'with a name that every object inherits',
      '{"stream_options":{"__proto__":{"x":1}}}',
      '{"stream_options":{"__proto__":{"x":1},"include_usage":true}}',
      true,
    ],
  ] as const) {
    test(name, () => assert.deepEqual(asked(text), [expected, isOurs]))
  }

  test('may be nested deeper than JSON can be serialised', () => {
    const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`
    const before = `{"stream":true,"stream_options":{"x":${deep}`
    assert.deepEqual(asked(`${before}}}`), [`${before},"include_usage":true}}`, true])
    assert.deepEqual(asked(`{"stream_options":${deep}}`), [`{${ASKED}}`, true])
  })

  test('keeps its other options, whatever they are', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (options, before) => {
        const body = JSON.parse(JSON.stringify({ before, stream_options: { ...options, include_usage: false } }))
        const [result] = asked(JSON.stringify(body))
        assert.deepEqual(JSON.parse(result), {
          ...body,
          stream_options: { ...body.stream_options, include_usage: true },
        })
      }),
    )
  })
})

describe('nothing is added', () => {
  for (const text of ['[]', '"{"', '5', 'null', '', '{"a" 1}', '{"a":1']) {
    test(`if the body is not a JSON object: ${JSON.stringify(text)}`, () =>
      assert.deepEqual(asked(text), [text, false]))
  }

  for (const name of formatNames) {
    const asks = ['openai-chat', 'openai-completions'].includes(name)
    test(`${name}: ${asks ? 'except for this format' : 'because usage is reported anyway, or never'}`, () => {
      assert.equal(asked('{"stream":true}', getFormat(name))[1], asks)
    })
  }

  test('to the client’s own buffer, which is copied', () => {
    for (const text of ['{"a":1}', '{"stream_options":{"x":1}}']) {
      const given = Buffer.from(text)
      withUsageRequest(given, getFormat('openai-chat'))
      assert.equal(given.toString(), text)
    }
  })
})

describe('a request asks for a stream for certain', () => {
  for (const stream of [true, 1, 'true', '1', 'yes', 'y', 'on', 't', 'True', 'ON']) {
    test(`with ${JSON.stringify(stream)}`, () => assert.equal(certainlyAsksForStream({ stream }), true))
  }
  for (const stream of [false, 0, 2, 'false', 'no', 'off', 'yes!', 'ton', '', null, undefined, {}, [true]]) {
    test(`but not with ${JSON.stringify(stream)}`, () => assert.equal(certainlyAsksForStream({ stream }), false))
  }
  test('but not if it is no object', () => {
    for (const json of [true, 'true', [{ stream: true }], null, undefined]) {
      assert.equal(certainlyAsksForStream(json), false)
    }
  })
})
