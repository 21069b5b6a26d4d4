import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { type AiProxyOptions, aiProxy } from '../../lib/index.js'

const make = (options: Partial<AiProxyOptions>) => aiProxy({ target: 'http://127.0.0.1:9', ...options })

describe('prices', () => {
  for (const [prices, message] of [
    [5, /aiProxy: prices takes prices by the models' names, or a function; got 5/],
    [[], /aiProxy: prices takes/],
    [new Map([['m', { input: 1, output: 1 }]]), /aiProxy: prices takes/],
    [Promise.resolve({}), /aiProxy: prices takes/],
    [{ m: 5 }, /prices\["m"\]/],
    [{ m: { input: 1 } }, /prices\["m"\]\.output takes a number of at least 0; got undefined/],
    [{ m: { input: -1, output: 1 } }, /prices\["m"\]\.input takes a number of at least 0; got -1/],
    [{ m: { input: '1', output: 1 } }, /prices\["m"\]\.input takes/],
    [{ m: { input: Number.NaN, output: 1 } }, /prices\["m"\]\.input takes/],
    [{ m: { input: 1, output: 1, cached: 1 } }, /cached/],
    [
      { m: { input: 0.0000025, output: 1 } },
      /prices\["m"\]\.input takes a price per million tokens; got .*looks like a price per token/,
    ],
  ] as const) {
    test(`${inspect(prices)} is refused`, () => {
      assert.throws(() => make({ prices: prices as never }), message)
    })
  }

  test('the cheapest real prices are accepted', () => {
    make({ prices: { tiny: { input: 0.001, cachedInput: 0.0002, output: 0 } } })
  })

  test('unknownPrice needs prices to choose from', () => {
    assert.throws(() => make({ unknownPrice: 'highest' }), /unknownPrice takes no value without the option `prices`/)
    assert.throws(() => make({ prices: () => 1, unknownPrice: 'highest' }), /unknownPrice takes 'refuse' or 0/)
    assert.throws(
      () => make({ prices: {}, unknownPrice: 1 as never }),
      /unknownPrice takes 'refuse', 'highest' or 0; got 1/,
    )
  })
})

describe('models that are listed and have no price', () => {
  const told = (options: Partial<AiProxyOptions>) => {
    const warned: unknown[] = []
    const original = process.emitWarning
    process.emitWarning = ((_: string, details: { code: string; detail?: string }) => {
      warned.push([details.code, details.detail])
    }) as typeof process.emitWarning
    try {
      make(options)
    } finally {
      process.emitWarning = original
    }
    return warned
  }
  const prices = { priced: { input: 1, output: 1 } }

  test('are reported when the middleware is created', () => {
    assert.deepEqual(told({ prices, models: ['priced', /x/, 'a', 'b'] }), [['AI_PROXY_PRICE_UNKNOWN', 'a, b']])
    const targets = [{ name: 't', target: 'http://127.0.0.1:9', models: ['c', { alias: 'priced', other: 'unpriced' }] }]
    assert.deepEqual(told({ target: undefined, targets, prices } as never), [
      ['AI_PROXY_PRICE_UNKNOWN', 'c, other (unpriced)'],
    ])
  })

  test('are reported by each name that a target knows them by, unless their alias has a price', () => {
    const at = (name: string, models: object) => ({ name, target: `http://127.0.0.1:9/${name}`, models })
    const targets = [at('one', { fast: 'priced', deep: 'x-1' }), at('two', { fast: 'y-2', deep: 'x-2', slow: 'z-1' })]
    const given = { target: undefined, targets, models: ['fast', 'deep'] }
    assert.deepEqual(told({ ...given, prices } as never), [
      ['AI_PROXY_PRICE_UNKNOWN', 'deep (x-1), fast (y-2), deep (x-2), slow (z-1)'],
    ])
    const withAliases = { ...prices, fast: { input: 1, output: 1 }, deep: { input: 1, output: 1 } }
    assert.deepEqual(told({ ...given, prices: withAliases } as never), [['AI_PROXY_PRICE_UNKNOWN', 'slow (z-1)']])
  })

  test('are not reported if there are no prices, or another price replaces theirs', () => {
    assert.deepEqual(told({ models: ['a'] }), [])
    assert.deepEqual(told({ prices, models: ['a'], unknownPrice: 'highest' }), [])
    assert.deepEqual(told({ prices, models: ['a'], warnings: { AI_PROXY_PRICE_UNKNOWN: false } }), [])
  })
})
