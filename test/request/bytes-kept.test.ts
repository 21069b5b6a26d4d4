import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { AiProxyOptions } from '../../lib/api/options.js'
import { isObject } from '../../lib/json/json.js'
import { topLevelSpans } from '../../lib/json/top-level.js'
import { fieldNames, spelledObject, written } from '../support/spelled-json.js'
import { edited, plain } from './editing.js'

type Json = Record<string, unknown>

/** What the README says that `modelOptions` do, in the fewest words. */
function merged(under: Json, over: Json): Json {
  const result = structuredClone(under)
  for (const [key, value] of Object.entries(over)) {
    const before = Object.hasOwn(result, key) ? result[key] : undefined
    const both = isObject(before) && isObject(value) ? merged(before, value) : value
    Object.defineProperty(result, key, { value: both, writable: true, enumerable: true, configurable: true })
  }
  return result
}

/** Every field that none of the options name has the bytes that it had, and they stand in the order that they stood in. */
function assertKept(before: Buffer, after: Buffer, options: readonly Json[]): void {
  const was = topLevelSpans(before)!
  const is = topLevelSpans(after)!
  const order = [...is.keys()].filter((name) => was.has(name))
  assert.deepEqual(order, [...was.keys()])
  for (const [name, { start, end }] of was) {
    const named = options.filter((each) => Object.hasOwn(each, name)).map((each) => each[name])
    const now = is.get(name)!
    const [text, kept] = [before.subarray(start, end), after.subarray(now.start, now.end)]
    // White space before a comma or a brace is between the fields.
    if (named.length === 0) assert.equal(kept.toString().trimEnd(), text.toString().trimEnd())
    else if (named.every(isObject) && text.toString().trim().startsWith('{')) assertKept(text, kept, named)
  }
}

// A name that is there in another case would be refused.
const leaf = fc.oneof(fc.jsonValue({ maxDepth: 0 }), fc.array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 3 }))
const named = (inner: fc.Arbitrary<unknown>, maxKeys: number) =>
  fc.dictionary(fc.constantFrom(...fieldNames), inner, { maxKeys, noNullPrototype: true })
const options = named(fc.oneof(leaf, named(fc.oneof(leaf, named(leaf, 2)), 3)), 4)
const path = '/v1/mine'

describe('any request with any options', () => {
  test('modelOptions: their fields are merged, all other bytes are the client’s', async () => {
    await fc.assert(
      fc.asyncProperty(spelledObject, options, options, async (request, defaults, overrides) => {
        const text = written(request)
        const result = await edited(text, { path, modelOptions: { defaults, overrides } })
        const expected = merged(merged(defaults, JSON.parse(text)), overrides)
        const said = Buffer.from(result.text!)
        assert.deepEqual(sorted(JSON.parse(result.text!)), sorted(expected))
        assert.deepEqual(result.body.json, JSON.parse(result.text!), 'what hooks see is what is sent')
        assertKept(Buffer.from(text), said, [defaults, overrides])
      }),
      { numRuns: 500 },
    )
  })

  test('onRequest: the fields it sets are replaced, all other bytes are the client’s', async () => {
    await fc.assert(
      fc.asyncProperty(spelledObject, options, async (request, changes) => {
        const text = written(request)
        const onRequest = (hooked: { body: Json }) => {
          for (const [key, value] of Object.entries(changes)) {
            Object.defineProperty(hooked.body, key, { value, writable: true, enumerable: true, configurable: true })
          }
        }
        const result = await edited(text, { path, onRequest: onRequest as unknown as AiProxyOptions['onRequest'] })
        const expected = { ...JSON.parse(text) }
        onRequest({ body: expected })
        assert.deepEqual(sorted(JSON.parse(result.text!)), sorted(expected))
        const replaced = Object.fromEntries(Object.keys(changes).map((key) => [key, 0]))
        assertKept(Buffer.from(text), Buffer.from(result.text!), [replaced])
      }),
      { numRuns: 500 },
    )
  })
})

/** As JSON says it, `0` for `-0` and all, in the order of names. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isObject(value)) return typeof value === 'number' && value === 0 ? 0 : value
  return Object.entries(value)
    .map(([name, inner]) => [name, sorted(inner)])
    .sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1))
}

describe('a request keeps all other bytes', () => {
  const text =
    '\uFEFF{ "messages":[{"role":"user","content":"\\u0068i", "cache_control":{"2":1,"1":2}}],\n  "seed":1152921504606846977, "temperature":1.0,"top_p":1e0, "model":"m" }\n'
  const body = () => ({ ...plain('{}'), content: Buffer.from(text), json: JSON.parse(text.slice(1)) })

  test('if modelOptions set defaults and overrides', async () => {
    const modelOptions = { defaults: { user: 'u', temperature: 0 }, overrides: { model: 'o', maxOutputTokens: 5 } }
    const { text: sent } = await edited(body(), { modelOptions })
    assert.equal(sent, text.replace('"m" }', '"o","user":"u","max_tokens":5 }'))
  })

  test('if a hook inserts a message at the front', async () => {
    const { text: sent } = await edited(body(), {
      onRequest: (request) => {
        if (request.format === 'openai-chat') request.body!.messages!.unshift({ role: 'system', content: 'Hi' })
      },
    })
    assert.equal(sent, text.replace('"messages":[', '"messages":[{"role":"system","content":"Hi"},'))
  })

  test('if a hook replaces the object with a copy', async () => {
    const onRequest: AiProxyOptions['onRequest'] = (request) => {
      request.body = { ...request.body, temperature: 2 } as never
    }
    const { text: sent } = await edited(body(), { onRequest, modelOptions: { overrides: { model: 'o' } } })
    assert.equal(sent, text.replace('1.0', '2').replace('"m"', '"o"'))
  })
})

describe('objects of the app', () => {
  test('that a body parser made are not changed by modelOptions', async () => {
    const left = { model: 'm' }
    const given = { ...plain('{"model":"m"}'), json: left }
    const { text, body } = await edited(given, { modelOptions: { overrides: { model: 'o' } } }, left)
    assert.equal(text, '{"model":"o"}')
    assert.deepEqual([left, body.json], [{ model: 'm' }, { model: 'o' }])
  })

  test('in the options cannot be changed by hooks', async () => {
    const overrides = { metadata: { tags: ['a'] } }
    const onRequest: AiProxyOptions['onRequest'] = ({ body }) => {
      ;(body as typeof overrides).metadata.tags.push('b')
    }
    const { text } = await edited('{}', { modelOptions: { overrides }, onRequest })
    assert.equal(text, '{"metadata":{"tags":["a","b"]}}')
    assert.deepEqual(overrides, { metadata: { tags: ['a'] } })
  })
})
