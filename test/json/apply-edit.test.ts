import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { applyEdit } from '../../lib/json/apply-edit.js'
import { diffJson } from '../../lib/json/diff.js'
import { fieldNames, type Spelled, spelledJson, written } from '../support/spelled-json.js'

/** The text that says what `change` makes of its value, or returns. */
function changed(text: string, change: (json: never) => unknown): string {
  const bytes = Buffer.from(text)
  const parse = () => JSON.parse(text.replace(/^\uFEFF/, ''))
  const json = parse()
  const result = change(json as never)
  const edit = diffJson(parse(), result === undefined ? json : result)
  return edit === undefined ? text : applyEdit(bytes, edit).toString()
}

type Json = Record<string, unknown>
const set = (fields: Json) => (json: Json) => void Object.assign(json, fields)

describe('a change keeps all other bytes', () => {
  for (const [name, text, change, expected] of [
    [
      'of numbers',
      '{"n":1e3, "big":1152921504606846976,"a":1,"t":1.0}',
      set({ a: 2 }),
      '{"n":1e3, "big":1152921504606846976,"a":2,"t":1.0}',
    ],
    ['of fields that look like indexes', '{"b":1,"2":1,"1":1}', set({ b: 2 }), '{"b":2,"2":1,"1":1}'],
    ['of white space', '{\n  "a" : 1 ,\n  "b" : [ 1, 2 ]\n}\n', set({ a: 2 }), '{\n  "a" : 2 ,\n  "b" : [ 1, 2 ]\n}\n'],
    ['of names', '{"\\u0061":1,"\\u0062":1.0}', set({ a: 2 }), '{"\\u0061":2,"\\u0062":1.0}'],
    ['of a byte order mark', '\uFEFF{"a":1}', set({ a: 2 }), '\uFEFF{"a":2}'],
    ['before a field that is added', '{\n  "a": 1.0\n}', set({ b: 2 }), '{\n  "a": 1.0,"b":2\n}'],
    ['around the first field of an object', '{ }', set({ b: 2 }), '{"b":2 }'],
    [
      'next to a field that is removed',
      '{"a":1.0,"b":2, "c":3.0}',
      (json: Json) => void delete json.b,
      '{"a":1.0, "c":3.0}',
    ],
    [
      'around the only field',
      '{"o":{"b":2}, "c":3.0}',
      (json: { o: Json }) => void delete json.o.b,
      '{"o":{}, "c":3.0}',
    ],
    ['in front of an item', '{"m":[1.0,2.0]}', (json: { m: number[] }) => void json.m.push(3), '{"m":[1.0,2.0,3]}'],
    [
      'after an item',
      '{"m":[{"n":1.0},{"n":2.0}]}',
      (json: { m: unknown[] }) => void json.m.unshift({ n: 0 }),
      '{"m":[{"n":0},{"n":1.0},{"n":2.0}]}',
    ],
    ['around an item that is taken out', '[1.0, 2.0, 3.0]', (json: unknown[]) => void json.splice(1, 1), '[1.0, 3.0]'],
    [
      'if a window of items moves on',
      '[{"n":1.0},{"n":2.0},{"n":3.0}]',
      (json: unknown[]) => [...json.slice(1), { n: 4 }],
      '[{"n":2.0},{"n":3.0},{"n":4}]',
    ],
    ['of items in another order', '[1.0,2.0,3.0]', (json: unknown[]) => json.reverse(), '[3.0,2.0,1.0]'],
    [
      'within an item after a new one',
      '[{"t":1.0,"c":"x"}]',
      ([item]: Json[]) => [{ n: 1 }, { ...item, c: 'y' }],
      '[{"n":1},{"t":1.0,"c":"y"}]',
    ],
    ['of fields in another order', '{"a":1.0, "b":2.0}', ({ a, b }: Json) => ({ b, a }), '{ "b":2.0,"a":1.0}'],
    [
      'after a field that is inserted at the front',
      '{"a":1.0,"b":2.0}',
      (json: Json) => ({ x: 1, ...json }),
      '{"x":1,"a":1.0,"b":2.0}',
    ],
    [
      'of fields that look like indexes, if one more is added',
      '{"b":1.0,"7":1.0}',
      set({ 3: 1 }),
      '{"b":1.0,"7":1.0,"3":1}',
    ],
    [
      'if everything is set to the same value',
      '{"a":1.0,"l":[1e3]}',
      () => ({ a: 1, l: [1000] }),
      '{"a":1.0,"l":[1e3]}',
    ],
    [
      'if a number that JavaScript cannot represent is set to the same value',
      '{"a":1e999,"b":-0}',
      set({ c: 1 }),
      '{"a":1e999,"b":-0,"c":1}',
    ],
    [
      'of a field that objects have anyway',
      '{"__proto__":{"x":1.0},"a":1}',
      set({ a: 2 }),
      '{"__proto__":{"x":1.0},"a":2}',
    ],
    ['of a duplicate field', '{"a":1,"x":1.0,"a":2,"y":1.0}', set({ a: 3 }), '{"x":1.0,"a":3,"y":1.0}'],
    ['of other duplicate fields', '{"a":1.0,"a":2.0,"x":1}', set({ x: 2 }), '{"a":1.0,"a":2.0,"x":2}'],
    [
      'next to a duplicate field that is removed',
      '{"a":1,"x":1.0,"a":2}',
      (json: Json) => void delete json.a,
      '{"x":1.0}',
    ],
    [
      'within the last of two of one name',
      '{"o":5,"o":{"a":1.0,"b":1}}',
      ({ o }: { o: Json }) => void Object.assign(o, { b: 2 }),
      '{"o":{"a":1.0,"b":2}}',
    ],
  ] as [string, string, (json: never) => unknown, string][]) {
    test(name, () => assert.equal(changed(text, change), expected))
  }
})

describe('a value is serialised as JSON.stringify does', () => {
  for (const [name, change, expected] of [
    ['a date', set({ a: new Date(0) }), '{"a":"1970-01-01T00:00:00.000Z"}'],
    ['nothing', set({ a: undefined }), '{}'],
    ['a function', set({ a: () => {} }), '{}'],
    ['NaN', set({ a: Number.NaN }), '{"a":null}'],
    ['undefined in a list', set({ a: [undefined, () => {}] }), '{"a":[null,null]}'],
    ['a boxed string', set({ a: Object('x') }), '{"a":"x"}'],
    ['a boxed number that is the same', set({ a: Object(1) }), '{"a":1.0}'],
    ['the result of toJSON, called with its key', set({ a: { toJSON: (name: string) => [name] } }), '{"a":["a"]}'],
    ['another type of root', () => null, 'null'],
  ] as [string, (json: never) => unknown, string][]) {
    test(name, () => assert.equal(changed('{"a":1.0}', change), expected))
  }

  test('a value that cannot be serialised throws', () => {
    const circular: Json = {}
    circular.a = circular
    assert.throws(() => changed('{"a":1}', () => circular), TypeError)
    assert.throws(() => changed('{"a":1}', set({ a: 1n })), TypeError)
  })
})

/** One change somewhere in JSON: the value, and what its text is to be. */
function mutated(json: Spelled, seed: readonly number[]): { value: unknown; text: Spelled } {
  const [pick = 0, ...rest] = seed
  const parsed = (part: Spelled) => JSON.parse(written(part))
  if (typeof json === 'string') return { value: { fresh: pick }, text: `{"fresh":${pick}}` }
  if ('members' in json) {
    const value = parsed(json) as Json
    const name = (at: number) => JSON.parse(`{${json.members[at]![0]}0}`) as Json
    const absent = fieldNames.find((each) => !Object.hasOwn(value, each))!
    const kind = json.members.length === 0 ? 0 : pick % 4
    const at = pick % Math.max(json.members.length, 1)
    const keyAt = (index: number) => Object.keys(name(index))[0]!
    const define = (key: string, to: unknown) =>
      Object.defineProperty(value, key, { value: to, writable: true, enumerable: true, configurable: true })
    if (kind === 0) {
      define(absent, [pick])
      return { value, text: { ...json, members: [...json.members, [`${JSON.stringify(absent)}:`, `[${pick}]`, '']] } }
    }
    if (kind === 1) {
      delete value[keyAt(at)]
      const members = json.members.filter((_, index) => index !== at)
      // The white space before a comma goes with the comma.
      const last = members.at(-1)
      return { value, text: { ...json, members: last ? [...members.slice(0, -1), last] : [] } }
    }
    const [before, inner, after] = json.members[at]!
    const change = mutated(inner, rest)
    define(keyAt(at), change.value)
    return { value, text: { ...json, members: json.members.with(at, [before, change.text, after]) } }
  }
  const value = parsed(json) as unknown[]
  const kind = json.items.length === 0 ? 0 : pick % 4
  const at = pick % Math.max(json.items.length, 1)
  if (kind === 0) {
    value.push({ pick })
    return { value, text: { ...json, items: [...json.items, ['', `{"pick":${pick}}`, '']] } }
  }
  if (kind === 1) {
    value.unshift({ pick })
    return { value, text: { ...json, items: [['', `{"pick":${pick}}`, ''], ...json.items] } }
  }
  const [before, inner, after] = json.items[at]!
  const change = mutated(inner, rest)
  value[at] = change.value
  return { value, text: { ...json, items: json.items.with(at, [before, change.text, after]) } }
}

/** The same without white space between its parts, which is the cheaper question. */
const bare = (text: string) => text.replace(/"(?:[^"\\]|\\.)*"|\s+/g, (part) => (part.startsWith('"') ? part : ''))

test('for any JSON and any change in it, the surrounding bytes stay', () => {
  const seeds = fc.array(fc.nat(1000), { minLength: 6, maxLength: 6 })
  fc.assert(
    fc.property(spelledJson, seeds, (json, seed) => {
      const text = written(json)
      const { value, text: expected } = mutated(json, seed)
      const edit = diffJson(JSON.parse(text), value)
      const result = edit === undefined ? text : applyEdit(Buffer.from(text), edit).toString()
      assert.equal(bare(result), bare(written(expected)))
      assert.deepEqual(JSON.parse(result), JSON.parse(written(expected)))
    }),
    { numRuns: 2000 },
  )
})

test('for any two JSON values, the edit turns one into the other', () => {
  fc.assert(
    fc.property(spelledJson, spelledJson, (one, other) => {
      const text = written(one)
      const wanted = JSON.parse(written(other))
      const edit = diffJson(JSON.parse(text), wanted)
      const result = edit === undefined ? text : applyEdit(Buffer.from(text), edit).toString()
      // JSON has no word for what 1e999 is, and only one for zero.
      const said = (json: unknown) => JSON.stringify(json)
      assert.equal(said(JSON.parse(result)), said(wanted))
    }),
    { numRuns: 2000 },
  )
})

test('for any list with its items moved, each item keeps its bytes', () => {
  const lists = fc.uniqueArray(fc.nat(50), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(lists, fc.array(fc.nat(60), { maxLength: 8 }), (numbers, wanted) => {
      const text = `[${numbers.map((number) => `${number}.0`).join(', ')}]`
      const unique = [...new Set(wanted)]
      const edit = diffJson(numbers, unique)
      const result = edit === undefined ? text : applyEdit(Buffer.from(text), edit).toString()
      assert.deepEqual(JSON.parse(result), unique)
      for (const number of unique) if (numbers.includes(number)) assert.match(result, new RegExp(`\\b${number}\\.0`))
    }),
  )
})

test('a change at the bottom of deeply nested lists and objects works', () => {
  const depth = 500
  const text = (leaf: number) => `${'{"a":[1.0,'.repeat(depth / 2)}${leaf}${']}'.repeat(depth / 2)}`
  const deepest = (json: { a: [number, never] }) => {
    let at: { a: [number, unknown] } = json
    while (typeof at.a[1] === 'object') at = at.a[1] as typeof at
    at.a[1] = 7
  }
  assert.equal(changed(text(0), deepest), text(7))
})
