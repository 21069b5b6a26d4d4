import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { topLevelFields, topLevelSpans } from '../../lib/json/top-level.js'
import { TopLevelScanner } from '../../lib/json/top-level-scanner.js'
import { cutAt, piecesOf } from '../support/bytes.js'

const KIB = 1024
const names = ['usage', 'model', 'größe-🦆', 'a"b\\', '', '__proto__']

/** What is found in these chunks, each of which is overwritten as soon as it was taken. */
function scanned(chunks: readonly Buffer[]) {
  const values: Record<string, unknown> = Object.create(null)
  const scanner = new TopLevelScanner(names, values)
  const reused = Buffer.alloc(chunks.reduce((most, { length }) => Math.max(most, length), 0))
  for (const chunk of chunks) {
    scanner.push(reused.subarray(0, chunk.copy(reused)))
    reused.fill('"')
  }
  return scanner.isComplete ? { values, spans: [...scanner.spans] } : undefined
}

/** The same as it is found where all bytes are there at once. */
function foundAtOnce(bytes: Buffer) {
  const spans = topLevelSpans(bytes, names)
  return spans && { values: topLevelFields(bytes, names), spans: [...spans] }
}

const escapedUnits = (text: string) =>
  text.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\t', '\r'), maxLength: 3 })
const tricky = fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', 'ß', '🦆', '\n') })
/** Stands for a value that is too long, to be put in its place: so a failure can be read. */
const LONG = '"<long>"'
const longText = JSON.stringify('x"{\\'.repeat(12 * KIB))

const name = fc.oneof(fc.constantFrom(...names), fc.constantFrom(...names), fc.string({ unit: 'grapheme' }), tricky)
const keyText = fc.oneof(
  name.map((key) => JSON.stringify(key)),
  name.map((key) => `"${escapedUnits(key)}"`),
)
const valueText = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue().map((value) => JSON.stringify(value)) },
  { weight: 3, arbitrary: tricky.map((text) => JSON.stringify(text)) },
  { weight: 3, arbitrary: fc.jsonValue().map((model) => JSON.stringify({ usage: [{ model }], model }, null, 1)) },
  { weight: 1, arbitrary: fc.constant(LONG) },
)
const fieldText = fc
  .tuple(space, keyText, space, space, valueText, space)
  .map(([before, key, behind, ahead, value, end]) => {
    return `${before}${key}${behind}:${ahead}${value}${end}`
  })
/** Objects as texts, in which names may be repeated. */
const objectText = fc
  .tuple(space, fc.array(fieldText, { maxLength: 6 }), space)
  .map(([before, fields, behind]) => `${before}{${fields.join(',') || behind}}${behind}`)

const inPieces = (bytes: Buffer, size: number, places: readonly number[]) =>
  size > 0 ? piecesOf(bytes, size) : cutAt(bytes, places)
const cuts = [fc.constantFrom(0, 0, 0, 1, 2, 7), fc.array(fc.nat(300))] as const

describe('the top-level fields of a JSON object in chunks', () => {
  test('equal those of JSON.parse, however it is split', () => {
    fc.assert(
      fc.property(objectText, fc.boolean(), ...cuts, (text, hasMark, size, places) => {
        const bytes = Buffer.from(`${hasMark ? '\uFEFF' : ''}${text.replaceAll(LONG, longText)}`)
        const expected = new Map<string, unknown>(Object.entries(JSON.parse(text)))
        for (const [name, value] of expected) {
          if (!names.includes(name)) expected.delete(name)
          else if (value === JSON.parse(LONG)) expected.set(name, undefined)
        }
        const found = scanned(inPieces(bytes, text.includes(LONG) ? 1000 * size : size, places))
        assert.ok(found)
        assert.deepEqual(new Map(Object.entries(found.values)), expected)
        assert.deepEqual(found.spans, [...topLevelSpans(bytes, names)!])
      }),
    )
  })

  test('are undefined before the object has ended', () => {
    fc.assert(
      fc.property(objectText, fc.nat(), ...cuts, (text, end, size, places) => {
        const bytes = Buffer.from(text.trimEnd())
        assert.equal(scanned(inPieces(bytes.subarray(0, end % bytes.length), size, places)), undefined)
      }),
    )
  })

  test('are undefined if the text is another value', () => {
    const others = fc.jsonValue().filter((value) => typeof value !== 'object' || value === null || Array.isArray(value))
    fc.assert(
      fc.property(others, ...cuts, (value, size, places) => {
        assert.equal(scanned(inPieces(Buffer.from(JSON.stringify(value)), size, places)), undefined)
      }),
    )
  })

  test('of arbitrary bytes equal those found in one piece', () => {
    const unit = fc.constantFrom(...'{}[]":,\\am ', '{"model":', ',"usage":', '\uFEFF')
    const bytesOfAnyKind = fc.oneof(
      fc.uint8Array().map((each) => Buffer.from(each)),
      fc.array(fc.constantFrom(0xef, 0xbb, 0xbf, 0x20, 0x7b, 0x7d)).map((each) => Buffer.from(each)),
      fc.string({ unit }).map((each) => Buffer.from(each)),
      fc.string({ unit }).map((each) => Buffer.from(`{"model":${each}}`)),
    )
    fc.assert(
      fc.property(bytesOfAnyKind, ...cuts, (bytes, size, places) => {
        assert.deepEqual(scanned(inPieces(bytes, size, places)), foundAtOnce(bytes))
      }),
      { numRuns: 1000 },
    )
  })

  for (const [length, isKept] of [
    [64 * KIB, true],
    [64 * KIB + 1, false],
  ] as const) {
    test(`a value of ${length} bytes is ${isKept ? 'kept' : 'not kept'}, and the field after it is found`, () => {
      const model = 'x'.repeat(length - 2)
      const bytes = Buffer.from(JSON.stringify({ usage: 1, model, '': 2 }))
      for (const size of [1, 1000, bytes.length]) {
        const values = scanned(piecesOf(bytes, size))?.values
        assert.deepEqual({ ...values }, { usage: 1, model: isKept ? model : undefined, '': 2 })
      }
    })
  }

  test('skip a name that is too long to be relevant', () => {
    const bytes = Buffer.from(JSON.stringify({ [`model${'x'.repeat(70 * KIB)}`]: 1, model: 2 }))
    for (const size of [1, 1000, bytes.length])
      assert.deepEqual({ ...scanned(piecesOf(bytes, size))?.values }, { model: 2 })
  })

  test('ignore half a byte order mark', () => {
    const mark = [0xef, 0xbb, 0xbf]
    const found = [0, 1, 2, 3].map((bytes) => topLevelFields(Buffer.from([...mark.slice(0, bytes), 0x7b, 0x7d]), names))
    assert.deepEqual(
      found.map((fields) => fields !== undefined),
      [true, false, false, true],
    )
    assert.equal(topLevelFields(Buffer.from([0x20, ...mark, 0x7b, 0x7d]), names), undefined)
  })

  /** The values, and what was copied of these chunks for them. */
  function copiedFrom(t: TestContext, chunks: readonly Buffer[]) {
    const values: Record<string, unknown> = {}
    const scanner = new TopLevelScanner(names, values)
    const texts = t.mock.method(Buffer.prototype, 'toString')
    const concat = t.mock.method(Buffer, 'concat')
    for (const chunk of chunks) scanner.push(chunk)
    texts.mock.restore()
    assert.equal(concat.mock.callCount(), 0)
    const copied = texts.mock.calls.map((call: { result?: unknown }) => String(call.result)).join('')
    return { values, copied }
  }

  test('are the only parts that are copied or built', (t) => {
    const data = Array.from({ length: 1000 }, () => ({ model: 'inner', text: '"'.repeat(500) }))
    const { values, copied } = copiedFrom(
      t,
      piecesOf(Buffer.from(JSON.stringify({ data, model: 'm', more: data })), 1000),
    )
    assert.deepEqual(values, { model: 'm' })
    assert.ok(copied.length < 100, copied)
  })

  test('are copied no further than may be kept', (t) => {
    const usage = 'x'.repeat(KIB * KIB)
    const { values, copied } = copiedFrom(t, piecesOf(Buffer.from(JSON.stringify({ usage, model: 'm' })), 1000))
    assert.deepEqual(values, { usage: undefined, model: 'm' })
    assert.ok(copied.length < 65 * KIB, `${copied.length} bytes`)
  })
})
