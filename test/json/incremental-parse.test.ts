import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { IncrementalParseError, parseIncrementally } from '../../lib/json/incremental-parse.js'

const KIB = 1024

/** What is parsed, and in how many pieces. */
function parse(text: string | Buffer): { value: unknown; pieces: number } {
  const work = parseIncrementally(Buffer.from(text))
  for (let pieces = 1; ; pieces++) {
    const { done, value } = work.next()
    if (done) return { value, pieces }
  }
}

/** The same of `JSON.parse`, or that it throws. */
function attempt(parsing: () => unknown): unknown {
  try {
    return { value: parsing() }
  } catch {
    return 'throws'
  }
}

const long = (unit: string, bytes = 300 * KIB) => unit.repeat(Math.ceil(bytes / unit.length))

describe('JSON that is parsed in pieces', () => {
  const texts: Record<string, string> = {
    short: '{"a":[1,2,{"b":null}],"c":"d"}',
    'a long list': `[${long('1,')}1]`,
    'a long list of objects': `{"messages":[${long('{"role":"user","content":"hello"},')}{}],"model":"m"}`,
    'many fields': `{${Array.from({ length: 30_000 }, (_, at) => `"f${at}":${at}`).join()}}`,
    'a long text': `{"a":"${long('x')}","b":1}`,
    'long texts in a list': `{"a":[["${long('x')}", "${long('y')}" ],{"b":"${long('z')}"}] , "c":[]}`,
    'a text only': `"${long('x')}"`,
    'escapes everywhere': `["${long('\\"')}","${long('\\\\')}","${long('\\u6f22')}","${long('x\\ud83d\\ude00')}"]`,
    'text that is not ASCII': `{"a":"${long('漢')}","b":"x${long('😀')}","c":"xx${long('é')}"}`,
    'nested and long at each level': `{"a":${long(`["${'x'.repeat(1000)}",`)}0${']'.repeat(Math.ceil((300 * KIB) / 1004))}}`,
    'white space around': ` \n[ ${long('1 , ')} { "a" : ${long('[ ', 400)}${long('] ', 400)} } ] \n`,
    'a field named __proto__': `{"__proto__":{"x":"${long('y')}"},"a":{"__proto__":[${long('1,')}1]}}`,
    'a field twice': `{"a":[${long('1,')}1],"b":1,"a":{"c":"${long('x')}"}}`,
    'numbers as names': `{"10":"${long('x')}","9":[${long('1,')}1],"b":0,"1":1}`,
    'empty ones, far apart': `[[],${long('{},')}{},[],"${long('x')}",[]]`,
    'a byte order mark': `\uFEFF{"a":[${long('1,')}1]}`,
    'control characters in a text': `["${long('x')}\n"]`,
    'a bad escape': `["${long('x')}\\x${long('y')}"]`,
    'a text without an end': `["${long('x')}`,
    'a text that ends in a backslash': `["${long('x')}\\`,
    'a list without an end': `[${long('1,')}1`,
    'an extra comma': `[${long('1,')}]`,
    'an extra comma after a long child': `["${long('x')}",]`,
    'a comma at the start': `[,"${long('x')}"]`,
    'two commas': `["${long('x')}",,1]`,
    'no comma after a long child': `["${long('x')}" 1]`,
    'no comma before a long child': `[1 "${long('x')}"]`,
    'no comma between long children': `["${long('x')}" ["${long('x')}"]]`,
    'no colon': `{"a" "${long('x')}"}`,
    'no name': `{"${long('x', 100)}":1,[${long('1,')}1]}`,
    'a name twice before a value': `{"a":"b":[${long('1,')}1]}`,
    'the wrong bracket': `{"a":[${long('1,')}1}]`,
    'an extra bracket': `[${long('1,')}1]]`,
    'text after it': `[${long('1,')}1] x`,
    'two of them': `[${long('1,')}1][]`,
    'two of them with a comma': `[${long('1,')}1],[]`,
    'a comma and nothing else': `[[${long('1,')}1],]`,
    'a number before a long child': `{"a":1["${long('x')}"]}`,
    'a fragment before a long child': `{"a":1 x,"b":["${long('x')}"]}`,
    'closed before a name': `{"a":[1]},"b":"${long('x')}"`,
    nothing: '',
    blank: '   ',
  }
  for (const [name, text] of Object.entries(texts)) {
    test(`gives the same result as JSON.parse: ${name}`, () => {
      const plain = text.replace(/^\uFEFF/, '')
      const own = attempt(() => parse(text).value)
      assert.deepEqual(
        own,
        attempt(() => JSON.parse(plain)),
      )
      if (own === 'throws') return
      // In the same order, too.
      assert.equal(JSON.stringify(own), JSON.stringify({ value: JSON.parse(plain) }))
    })
  }

  test('gives the same result as JSON.parse, for any JSON', () => {
    const leaf = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.string({ unit: 'binary', maxLength: 20 }).map((unit) => long(unit || 'x', 70 * KIB)),
      fc.constant(Array(40_000).fill(7)),
    )
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 2 },
        leaf,
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(fc.string(), tie('tree'), { maxKeys: 3 }),
      ),
    }))
    fc.assert(
      fc.property(tree, fc.constantFrom(undefined, 1), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        assert.equal(JSON.stringify(parse(text).value), JSON.stringify(JSON.parse(text)))
      }),
      { numRuns: 30 },
    )
  })

  test('gives the same result as JSON.parse, for damaged JSON', () => {
    const good = `{"a":[${long('{"b":"c"},', 100 * KIB)}0],"d":"${long('\\n', 100 * KIB)}","e":[[[]],{}]}`
    const { length } = good
    fc.assert(
      fc.property(fc.nat(length), fc.constantFrom(...'{}[]",:\\ 0x'), fc.nat(3), (at, put, cut) => {
        const text = good.slice(0, at) + put + good.slice(at + cut)
        assert.deepEqual(
          attempt(() => parse(text).value),
          attempt(() => JSON.parse(text)),
        )
      }),
      { numRuns: 60 },
    )
  })

  test('passes at most some 64 KiB to JSON.parse at once', (t) => {
    for (const name of [
      'a long list',
      'a long list of objects',
      'many fields',
      'long texts in a list',
      'escapes everywhere',
    ]) {
      const spy = t.mock.method(JSON, 'parse')
      const { pieces } = parse(texts[name]!)
      const sizes = spy.mock.calls.map((call) => String(call.arguments[0]).length)
      spy.mock.restore()
      assert.ok(Math.max(...sizes) < 70 * KIB, `${name}: ${Math.max(...sizes)}`)
      assert.ok(pieces >= texts[name]!.length / (140 * KIB), `${name}: ${pieces}`)
      assert.ok(sizes.length <= 2 * pieces + 10, `${name}: ${sizes.length} in ${pieces}`)
    }
  })

  for (const [name, text] of [
    ['a number', `[${long('1', 2048 * KIB)}]`],
    ['white space', `[1${long(' ', 2048 * KIB)}]`],
    ['white space around it', `[1]${long(' ', 2048 * KIB)}`],
    ['a name', `{"${long('x')}":1}`],
  ] as const) {
    test(`is rejected if it has unreasonably long parts: ${name}`, () => {
      assert.throws(() => parse(text), IncrementalParseError)
    })
  }
})
