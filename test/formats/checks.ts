import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { CompleteFormat, JsonObject, ParsedMessage } from '../../lib/formats/index.js'

/** A JSON text as a provider sends it, what it says, and the name of its event. */
export type Case = readonly [what: string, json: string, says: ParsedMessage, event?: string]

/**
 * Tests what the messages of a stream say, and that the format's marker stands in those with usage, however their JSON
 * is spaced.
 *
 * @param markerIsRare in no message without usage
 */
export function readsMessages(format: CompleteFormat, cases: readonly Case[], markerIsRare = true): void {
  for (const [what, json, says, event] of cases) {
    test(what, () => {
      assert.deepEqual(format.readMessage(JSON.parse(json), event), says)
      for (const spelling of spellings(json)) {
        const isMarked = Buffer.from(spelling).includes(format.usageMarker)
        if (says.usage) assert.ok(isMarked, `the marker stands in ${spelling}`)
        else if (markerIsRare) assert.ok(!isMarked, `the marker does not stand in ${spelling}`)
      }
    })
  }
}

/** Tests what answers say that are no stream. */
export function readsAnswers(format: CompleteFormat, cases: readonly Case[]): void {
  for (const [what, json, says] of cases) {
    test(what, () => assert.deepEqual(format.readAnswer(JSON.parse(json)), says))
  }
}

/** As JSON writers space it: not at all, like Python's, on lines. */
function spellings(json: string): string[] {
  const value: unknown = JSON.parse(json)
  const lines = JSON.stringify(value, null, 2)
  return [json, JSON.stringify(value), lines, lines.replace(/\n */g, ' '), lines.replaceAll('": ', '" : ')]
}

/** Tests that nothing is thrown and no figure is made up, whatever comes: any JSON, and each sample with a part spoiled. */
export function survivesAnything(format: CompleteFormat, cases: readonly Case[]): void {
  const events = [undefined, ...new Set(cases.flatMap(([, , , event]) => event ?? []))]
  test('any input is read without an exception, and the results have the right types', () => {
    const samples = cases.map(([, json]) => json)
    const data = fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), { arbitrary: spoiled(samples), weight: 9 })
    fc.assert(
      fc.property(data, fc.constantFrom(...events), (object, event) => {
        checkReading(format.readMessage(object, event))
        checkReading(format.readAnswer(object))
        assert.equal(typeof format.isErrorBody(object), 'boolean')
        for (const key of format.maxOutputTokensPath(object)) assert.equal(typeof key, 'string')
      }),
      { numRuns: 500 },
    )
  })
}

// Objects that have no text, and lists nested deeper than the stack is: JSON has both.
const noText = { toString: 1, valueOf: 2, toJSON: 3 }
const tooDeep: unknown = JSON.parse(`${'['.repeat(50_000)}1${']'.repeat(50_000)}`)
const oddities = [
  noText,
  [noText],
  { code: noText },
  tooDeep,
  { code: tooDeep },
  null,
  true,
  '',
  'odd',
  '12',
  [],
  {},
  [null],
  [[]],
  0,
  -1,
  1.5,
  Number.POSITIVE_INFINITY,
  Number.NaN,
]

/** A sample in which one value, at any depth, is another than it should be, or gone. */
function spoiled(samples: readonly string[]): fc.Arbitrary<JsonObject> {
  const odd = fc.oneof(fc.constantFrom(...oddities, undefined), fc.jsonValue())
  return fc.tuple(fc.constantFrom(...samples), fc.nat(), odd).map(([json, place, value]) => {
    let count = 0
    JSON.parse(json, (_, part) => {
      count++
      return part
    })
    // The reviver comes to the whole last, which stays an object.
    let left = place % Math.max(1, count - 1)
    return JSON.parse(json, (key, part) => (left-- === 0 && key !== '' ? value : part))
  })
}

function checkReading(reading: ParsedMessage): void {
  const { usage, billed, whole, isPending, isLast, isUsageOnly, callsTool, replacesUsage, ...texts } = reading
  for (const [field, text] of Object.entries({ ...texts, ...(whole && { whole: whole.text }) })) {
    assert.ok(typeof text === 'string' && text !== '', field)
  }
  const flags = [isPending, isLast, isUsageOnly, callsTool, replacesUsage]
  for (const flag of flags) assert.ok(flag === undefined || flag === true)
  for (const figures of [usage, billed]) {
    if (figures === undefined) continue
    assert.ok(Object.keys(figures).length > 0)
    for (const [figure, count] of Object.entries(figures)) {
      assert.ok(Number.isFinite(count) && count >= 0, `${figure}: ${count}`)
    }
  }
}

/** Tests that frames which cannot be terminators are told apart by their bytes alone. */
export function decodesNothing(format: Pick<CompleteFormat, 'isTerminator'>, frame: string): void {
  test('a frame that cannot be a terminator is not decoded', (t) => {
    const bytes = Buffer.from(frame)
    const decode = t.mock.method(Buffer.prototype, 'toString')
    assert.equal(format.isTerminator(bytes), false)
    assert.equal(decode.mock.callCount(), 0)
  })
}

/** Tests which frames are terminators and which are not. */
export function tellsTerminators(
  format: Pick<CompleteFormat, 'isTerminator'>,
  terminators: readonly string[],
  others: readonly string[],
): void {
  for (const [frames, is] of [
    [terminators, true],
    [others, false],
  ] as const) {
    for (const frame of frames) {
      test(`${is ? 'is' : 'is not'} ${JSON.stringify(frame.slice(0, 90))}`, () =>
        assert.equal(format.isTerminator(Buffer.from(frame)), is))
    }
  }
}

/** A failure whose message needs escaping. */
export const failure = { code: 'idle_timeout', status: 504, message: 'The provider fell "silent"\nfor long' }

/** Bodies that say no error in any protocol. */
export const noErrors = [undefined, null, 'error', 5, [], {}, { detail: 'x' }, { error: null }, { type: 'error' }]
