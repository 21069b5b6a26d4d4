import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { ModelOptions } from '../../lib/api/options.js'
import { type FormatName, formatNames, getFormat } from '../../lib/formats/index.js'
import { applyEdit } from '../../lib/json/apply-edit.js'
import { applyModelOptions } from '../../lib/request/model-options.js'

type Json = Record<string, unknown>

/** What a request says with these options: its value, and its text, which must say the same. */
function applied(
  body: Json,
  options: ModelOptions,
  format: FormatName = 'openai-chat',
  generates = true,
  url = '',
): Json {
  const text = JSON.stringify(body)
  const json = parsed(text)
  const edit = applyModelOptions(json, options, { format: getFormat(format), generates, url })
  const result = edit ? applyEdit(Buffer.from(text), edit).toString() : text
  assert.equal(JSON.stringify(json), JSON.stringify(parsed(result)))
  return parsed(result)
}

const parsed = (text: string) => JSON.parse(text) as Json

/** All that is said, each with the keys that lead to it. */
function leaves(value: unknown, path: readonly string[] = []): [path: readonly string[], value: unknown][] {
  const isInner = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
  if (!isInner) return [[path, value]]
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]))
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Json | undefined)?.[key], value)
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value)
    for (const inner of Object.values(value)) frozen(inner)
  }
  return value
}

describe('defaults fill missing fields', () => {
  for (const [name, body, defaults, expected] of [
    ['a field', { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['not existing fields', { a: 1 }, { a: 2 }, { a: 1 }],
    [
      'not existing fields that are null, false, 0 or empty',
      { a: null, b: false, c: 0, d: '' },
      { a: 1, b: 1, c: 1, d: 1 },
      {
        a: null,
        b: false,
        c: 0,
        d: '',
      },
    ],
    ['within objects', { o: { a: 1 } }, { o: { a: 2, b: { c: 3 } } }, { o: { a: 1, b: { c: 3 } } }],
    ['not within arrays', { list: [{ a: 1 }] }, { list: [{ b: 2 }, 3] }, { list: [{ a: 1 }] }],
    ['not in place of another type', { a: 5, b: { x: 1 } }, { a: { y: 1 }, b: [2] }, { a: 5, b: { x: 1 } }],
    ['of two empty objects', {}, {}, {}],
  ] as [string, Json, Json, Json][]) {
    test(name, () => assert.deepEqual(applied(body, { defaults }), expected))
  }
})

describe('overrides replace fields', () => {
  for (const [name, body, overrides, expected] of [
    ['over a field', { a: 1, b: 2 }, { a: 3 }, { a: 3, b: 2 }],
    ['if the field is missing', {}, { a: 3 }, { a: 3 }],
    ['with null', { a: 1 }, { a: null }, { a: null }],
    ['within objects', { o: { a: 1, b: { c: 2, d: 3 } } }, { o: { b: { c: 9 } } }, { o: { a: 1, b: { c: 9, d: 3 } } }],
    ['over arrays as a whole', { tools: [1, 2, 3] }, { tools: [4] }, { tools: [4] }],
    ['over another type', { a: { x: 1 }, b: 5 }, { a: 5, b: { x: 1 } }, { a: 5, b: { x: 1 } }],
  ] as [string, Json, Json, Json][]) {
    test(name, () => assert.deepEqual(applied(body, { overrides }), expected))
  }

  test('over defaults', () => {
    assert.deepEqual(applied({}, { defaults: { a: 1, b: 1 } as never, overrides: { a: 2 } as never }), { a: 2, b: 1 })
  })
})

describe('overrides also apply to extra_body, which gateways merge over the top-level fields', () => {
  const overrides = { temperature: 0, options: { seed: 1 }, extra_body: { top_k: 5 } }
  test('within objects as well', () => {
    const extra_body = { temperature: 2, top_k: 9, options: { seed: 2, n: 3 }, mine: true }
    assert.deepEqual(applied({ extra_body }, { overrides }), {
      temperature: 0,
      options: { seed: 1 },
      extra_body: { top_k: 5, options: { n: 3 }, mine: true },
    })
  })

  test('but defaults do not', () => {
    const body = { extra_body: { temperature: 2 } }
    assert.deepEqual(applied(body, { defaults: { temperature: 0 } }), { ...body, temperature: 0 })
  })

  test('but only if it is an object', () => {
    assert.deepEqual(applied({ extra_body: 1 }, { overrides: { a: 2 } as never }), { extra_body: 1, a: 2 })
  })
})

test("for any input, the request's fields are kept except for overrides, and nothing is mutated", () => {
  const object = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 })
  // JSON has no -0.
  const deep = fc
    .dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(object, fc.jsonValue()), { maxKeys: 3 })
    .map((value): Json => JSON.parse(JSON.stringify(value)))
  fc.assert(
    fc.property(deep, deep, deep, (body, defaults, overrides) => {
      const filled = applied(frozen(body), { defaults: frozen(defaults) })
      for (const [path, value] of leaves(body)) {
        const isEmptyObject = JSON.stringify(value) === '{}'
        if (!isEmptyObject) assert.deepEqual(at(filled, path), value)
      }
      const ruled = applied(body, { overrides: frozen(overrides) })
      for (const [path, value] of leaves(overrides)) {
        const isEmptyObject = JSON.stringify(value) === '{}'
        if (!isEmptyObject) assert.deepEqual(at(ruled, path), value)
      }
      const both = applied(body, { defaults, overrides })
      assert.deepEqual(both, applied(filled, { overrides }))
    }),
  )
})

describe('keys that every object inherits', () => {
  const evil = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":{"x":1}}'

  function assertUnpolluted(result: Json, expected: string): void {
    assert.equal(({} as Json).polluted, undefined)
    assert.equal(Object.getPrototypeOf(result), Object.prototype)
    assert.equal(JSON.stringify(result), expected)
    for (const key of ['__proto__', 'constructor', 'toString']) assert.ok(Object.hasOwn(result, key), key)
  }

  test('in a body stay unchanged', () => {
    assertUnpolluted(applied(parsed(evil), {}), evil)
    assertUnpolluted(
      applied(parsed(evil), { overrides: { maxOutputTokens: 5 } }),
      `${evil.slice(0, -1)},"max_tokens":5}`,
    )
    const nested = applied(parsed(`{"o":${evil}}`), { defaults: { o: {} } as never, overrides: { o: {} } as never })
    assertUnpolluted(nested.o as Json, evil)
  })

  test('in options are ordinary fields', () => {
    assertUnpolluted(applied({}, { defaults: parsed(evil) }), evil)
    assertUnpolluted(applied({}, { overrides: parsed(evil) }), evil)
    assertUnpolluted(applied({ o: {} }, { overrides: parsed(`{"o":${evil}}`) }).o as Json, evil)
  })

  test('in both are merged like any others', () => {
    const merged = applied(parsed(evil), { overrides: parsed('{"__proto__":{"more":2}}') })
    assertUnpolluted(merged, evil.replace('"polluted":1', '"polluted":1,"more":2'))
  })

  test('work within the object that has the limit', () => {
    const body = parsed(`{"generationConfig":${evil}}`)
    const result = applied(body, { overrides: { maxOutputTokens: 5 } }, 'gemini')
    assertUnpolluted(result.generationConfig as Json, `${evil.slice(0, -1)},"maxOutputTokens":5}`)
  })
})

describe('maxOutputTokens is written to each format’s own field', () => {
  const table: [format: FormatName, body: Json, expected: Json][] = [
    ['openai-chat', { model: 'llama' }, { model: 'llama', max_tokens: 5 }],
    ['openai-chat', { model: 'o3-mini' }, { model: 'o3-mini', max_completion_tokens: 5 }],
    ['openai-completions', {}, { max_tokens: 5 }],
    ['openai-responses', {}, { max_output_tokens: 5 }],
    ['openai-embeddings', { input: 'x' }, { input: 'x' }],
    ['openai-media', { prompt: 'x' }, { prompt: 'x' }],
    ['anthropic', {}, { max_tokens: 5 }],
    ['gemini', { generationConfig: { topK: 1 } }, { generationConfig: { topK: 1, maxOutputTokens: 5 } }],
    ['gemini', { generation_config: { topK: 1 } }, { generation_config: { topK: 1, maxOutputTokens: 5 } }],
    ['bedrock-converse', {}, { inferenceConfig: { maxTokens: 5 } }],
    ['bedrock-invoke', { anthropic_version: 'x' }, { anthropic_version: 'x', max_tokens: 5 }],
    ['ollama-chat', { options: { seed: 1 } }, { options: { seed: 1, num_predict: 5 } }],
    ['ollama-generate', {}, { options: { num_predict: 5 } }],
    ['cohere', {}, { max_tokens: 5 }],
    ['gemini-interactions', {}, { generation_config: { max_output_tokens: 5 } }],
    ['tgi', { inputs: 'x' }, { inputs: 'x', parameters: { max_new_tokens: 5 } }],
    ['llama-cpp', { prompt: 'x' }, { prompt: 'x', n_predict: 5 }],
  ]
  for (const [format, body, expected] of table) {
    test(`${format}: ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(applied(body, { defaults: { maxOutputTokens: 5 } }, format), expected)
      assert.deepEqual(applied(body, { overrides: { maxOutputTokens: 5 } }, format), expected)
    })
  }

  test('for every format', () => {
    assert.deepEqual([...new Set(table.map(([format]) => format))].sort(), [...formatNames].sort())
  })

  test('as a default keeps the request’s own limit', () => {
    const options = { defaults: { maxOutputTokens: 5 } }
    assert.deepEqual(applied({ max_completion_tokens: 9 }, options), { max_completion_tokens: 9 })
    assert.deepEqual(applied({ max_tokens: 9 }, options), { max_tokens: 9 })
    const config = { max_output_tokens: 9 }
    assert.deepEqual(applied({ generationConfig: config }, options, 'gemini'), { generationConfig: config })
  })

  test('as an override is the only limit, however many a request has', () => {
    const options = { overrides: { maxOutputTokens: 5 } }
    const limits = (body: Json, format: FormatName) =>
      leaves(applied(body, options, format)).filter(([path]) => /max|predict/i.test(path.at(-1) ?? ''))
    assert.deepEqual(
      limits({ max_tokens: 9, max_completion_tokens: 9 }, 'openai-chat').map(([, value]) => value),
      [5],
    )
    const both = { generationConfig: { maxOutputTokens: 9, max_output_tokens: 9 } }
    assert.deepEqual(
      limits({ ...both, generation_config: both.generationConfig }, 'gemini').map(([, value]) => value),
      [5],
    )
    const invoke = { max_tokens: 9, max_gen_len: 9, inferenceConfig: { maxTokens: 9, max_new_tokens: 9 } }
    assert.deepEqual(
      limits(invoke, 'bedrock-invoke').map(([, value]) => value),
      [5],
    )
  })

  test("and takes precedence over the provider's field in the same options", () => {
    assert.deepEqual(applied({}, { overrides: { max_tokens: 7, maxOutputTokens: 5 } }), { max_tokens: 5 })
  })

  test('but not if nothing is generated', () => {
    const options = { defaults: { maxOutputTokens: 5, a: 1 }, overrides: { maxOutputTokens: 6, b: 2 } }
    assert.deepEqual(applied({ contents: [] }, options, 'gemini', false), { a: 1, contents: [], b: 2 })
  })
})
