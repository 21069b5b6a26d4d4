import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Bounds, JsonSurvey, MAX_NAME_BYTES } from '../../lib/json/survey.js'

const unbounded: Bounds = { depth: Infinity, fields: Infinity, name: Infinity, work: Infinity }

/** A whole survey. */
function surveyed(text: string | Buffer, names?: readonly string[], bounds: Partial<Bounds> = {}): JsonSurvey {
  const survey = new JsonSurvey(Buffer.from(text), names, { ...unbounded, ...bounds })
  survey.advance()
  return survey
}

const boundedBy = (text: string | Buffer, bounds: Partial<Bounds>) => surveyed(text, undefined, bounds)

/** The same, so many bytes at a time; and in how many steps. */
function inSteps(text: string | Buffer, step: number, names?: readonly string[]) {
  const survey = new JsonSurvey(Buffer.from(text), names)
  let steps = 1
  while (!survey.advance(step)) steps++
  return { survey, steps }
}

const found = ({ spans, depth, fields, work, isComplete: isWhole, isInvalid: isBroken }: JsonSurvey) => ({
  spans: [...spans],
  depth,
  fields,
  work,
  isWhole,
  isBroken,
})

describe('a survey of JSON', () => {
  const texts = [
    '{"model":"m","stream":true,"n":[1,2,{"a":"b"}],"stream":false}',
    ' { "mo\\u0064el" : "a\\"b\\\\" , "x" : {"y":[[]]} } ',
    `{"pad":"${'x'.repeat(300)}\\n${'y'.repeat(300)}","model":"m"}`,
    `{"pad":"${'\\"'.repeat(300)}","model":"m"}`,
    '\uFEFF{"model":"m"}',
    '[1,[2,"]"],{"a":{}}]',
    '"a text"',
    '{"a" 1}',
    '{"a":"an end that never com',
    '{"a":"\\',
    '',
  ]

  for (const text of texts) {
    test(`is the same in steps of any size: ${text.slice(0, 40)}`, () => {
      for (const step of [1, 2, 3, 7, 64, 100]) {
        assert.deepEqual(found(inSteps(text, step, ['model']).survey), found(surveyed(text, ['model'])), `${step}`)
      }
    })
  }

  test('reads each byte once, one step at a time, however many strings, escapes and fields there are', () => {
    for (const unit of [',"":0', ',"":""', ',"a":"\\""', ',"a":[{"b":[]}]', ',"x":"\\\\\\\\"']) {
      const text = `{"a":0${unit.repeat(20_000)}}`
      const { steps } = inSteps(text, 1000)
      // A step may go a string, or a search, too far.
      assert.ok(steps <= text.length / 1000 + 1 && steps > text.length / 1100, `${unit}: ${steps}`)
    }
  })

  test('searches for quotes and backslashes natively, and for none of them twice', () => {
    const text = `{"a":[${`"${'x'.repeat(200)}",`.repeat(1000)}0],"b":"${'x'.repeat(100_000)}"}`
    const bytes = Buffer.from(text)
    let searched = 0
    // JsonSurvey searches for single bytes alone.
    const search = bytes.indexOf.bind(bytes) as (byte: number, from: number) => number
    bytes.indexOf = ((byte: number, from: number) => {
      const at = search(byte, from)
      searched += (at === -1 ? bytes.length : at) - from
      return at
    }) as typeof bytes.indexOf
    new JsonSurvey(bytes, ['a']).advance()
    assert.ok(searched > text.length / 2, 'natively')
    assert.ok(searched <= 2 * text.length, `${searched} for ${text.length}`)
  })

  test('decodes no unwanted names', (t) => {
    const parse = t.mock.method(JSON, 'parse')
    surveyed(`{"model":1${',"":0,"x":1,"longer than any":2'.repeat(1000)}}`, ['model', 'stream'])
    assert.equal(parse.mock.callCount(), 0)
  })
})

describe('the work of parsing JSON', () => {
  const workOf = (text: string) => surveyed(text).work

  test('is counted in numbers; keys, objects and arrays cost more', () => {
    assert.equal(workOf(`[${'1,'.repeat(1000)}1]`), 10 + 1000 + 250)
    assert.equal(workOf(`[${'{},'.repeat(1000)}[]]`), 10 + 1000 + 1001 * 10)
    assert.equal(workOf(`{"a":{${'"k":"v",'.repeat(1000)}"k":""}}`), 10 + 20 + 10 + 1000 + 1001 * 20)
    assert.equal(workOf(`{${'"k":"",'.repeat(1000)}"k":""}`), 10 + 1000 + 1001 * 20)
  })

  test('grows with long numbers and escapes, not with text or white space', () => {
    assert.equal(workOf('"a text of any length is one value"'), 0)
    assert.equal(workOf(`[${' '.repeat(1000)}]`), 10)
    assert.equal(workOf(`[${'1'.repeat(1000)}]`), 260)
    assert.equal(workOf(`["${'\\n'.repeat(1000)}"]`), 260)
  })

  test('ends the survey soon after it is exceeded, like any other bound', () => {
    const text = Buffer.from(`{"a":1${',"b":{"c":[[0]]}'.repeat(10_000)}}`)
    for (const [name, bounds] of Object.entries({ depth: { depth: 3 }, fields: { fields: 10 }, work: { work: 500 } })) {
      const survey = new JsonSurvey(text, undefined, { ...unbounded, ...bounds })
      assert.equal(survey.advance(10_000), true)
      assert.equal(survey.exceeded, name)
      assert.ok(survey.fields < 700, `${name}: ${survey.fields}`)
    }
  })
})

describe('a name that is too long to matter', () => {
  const long = 'x'.repeat(MAX_NAME_BYTES + 1)

  test('is not kept, because V8 would compare it with all others of its length', () => {
    const survey = surveyed(`{"${long}":1,"${long.slice(1)}":2,"a":3}`)
    assert.deepEqual([...survey.spans.keys()], [long.slice(1), 'a'])
    assert.equal(survey.longestName, MAX_NAME_BYTES + 1)
  })

  test('ends a survey that has a bound for it', () => {
    const rest = ',"a":1'.repeat(1000)
    const survey = boundedBy(`{"${long}":1${rest}}`, { name: MAX_NAME_BYTES })
    assert.equal(survey.exceeded, 'name')
    assert.ok(survey.fields < 10)
    assert.equal(boundedBy(`{"${long.slice(1)}":1,"b":{"${long}":1}}`, { name: MAX_NAME_BYTES }).exceeded, undefined)
  })
})

describe('whether JSON is nested deeper than the bound', () => {
  const exceeds = (text: string, depth: number) => boundedBy(text, { depth }).exceeded === 'depth'

  for (const [text, depth] of [
    ['', 0],
    ['5', 0],
    ['"[[[["', 0],
    ['"\\"[[[["', 0],
    ['{}', 1],
    ['[1,[2],[3]]', 2],
    [' [[1]]', 2],
    ['{"a":[{"b":{}}],"c":{}}', 4],
    ['{"[[":"]]","{":"\\\\"}', 1],
    ['[[],[],[],[[]]]', 3],
    ['['.repeat(1000), 1000],
    [`{"a":${'['.repeat(500)}${']'.repeat(500)}}`, 501],
    // A string without its end.
    ['["[[[', 1],
  ] as const) {
    const shown = text.length > 40 ? `${text.slice(0, 20)}…` : text
    test(`${shown}: ${depth}`, () => {
      assert.equal(exceeds(text, depth), false)
      if (depth > 0) assert.equal(exceeds(text, depth - 1), true)
    })
  }

  test('equals the depth of the value that JSON.parse makes', () => {
    const depthOf = (value: unknown): number =>
      typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        const depth = depthOf(value)
        assert.equal(exceeds(text, depth), false)
        if (depth > 0) assert.equal(exceeds(text, depth - 1), true)
      }),
    )
  })

  test('arbitrary bytes cause no exception, and the survey ends', () => {
    const bytes = fc.uint8Array().map((each) => Buffer.from(each))
    fc.assert(fc.property(bytes, fc.nat(5), (each, depth) => void boundedBy(each, { depth })))
  })
})

test('a string of escapes is skipped at once: its end is not searched repeatedly', () => {
  const bytes = Buffer.from(`{"a":"${'\\n'.repeat(100_000)}"}`)
  let searched = 0
  const find = bytes.indexOf.bind(bytes)
  Object.assign(bytes, {
    indexOf(byte: number, from: number) {
      const found = find(byte, from)
      searched += (found === -1 ? bytes.length : found) - from
      return found
    },
  })
  const survey = new JsonSurvey(bytes)
  survey.advance()
  assert.equal(survey.isComplete, true)
  assert.ok(searched < 2 * bytes.length, `${searched} bytes`)
})
