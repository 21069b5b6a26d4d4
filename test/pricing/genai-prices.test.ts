import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { FormatName, PricedUsage } from '../../lib/index.js'
import { genaiPrices } from '../../lib/prices.js'
import type { PricesPackage } from '../../lib/pricing/price-search.js'

const tokens = (
  given: Partial<Record<'uncachedInput' | 'cachedInput' | 'cacheWrite' | 'visibleOutput' | 'reasoning', number>>,
) => {
  const parts = { uncachedInput: 0, cachedInput: 0, cacheWrite: 0, visibleOutput: 0, reasoning: 0, ...given }
  return { ...parts, total: Object.values(parts).reduce((sum, part) => sum + part, 0) }
}

function used(model: string, format: FormatName, given: Parameters<typeof tokens>[0], target?: string): PricedUsage {
  const none = { stream: false, path: '/', subject: undefined, tenant: undefined, usage: undefined, attempts: [] }
  return { ...none, model, responseModel: undefined, target, format, tokens: tokens(given) }
}

const close = (cost: number | undefined, expected: number) =>
  assert.ok(cost !== undefined && Math.abs(cost - expected) < 1e-9, `${cost}, not ${expected}`)

describe('genaiPrices', () => {
  const priceOf = genaiPrices()

  // Prices of the providers' own pages, which do not change for models that exist.
  for (const [model, format, given, expected] of [
    ['gpt-4o', 'openai-chat', { uncachedInput: 1e6, visibleOutput: 1e5 }, 2.5 + 1],
    ['gpt-4o', 'openai-chat', { uncachedInput: 5e5, cachedInput: 5e5 }, 1.25 + 0.625],
    ['o3-mini', 'openai-responses', { uncachedInput: 1e6, visibleOutput: 2e5, reasoning: 3e5 }, 1.1 + 2.2],
    [
      'claude-sonnet-4-20250514',
      'anthropic',
      { uncachedInput: 1e4, cachedInput: 1e5, cacheWrite: 5e4, visibleOutput: 1e4 },
      0.03 + 0.03 + 0.1875 + 0.15,
    ],
    ['claude-3-5-haiku-20241022', 'anthropic', { uncachedInput: 1e5, visibleOutput: 1e5 }, 0.08 + 0.4],
    ['gemini-2.0-flash', 'gemini', { uncachedInput: 1e6, visibleOutput: 1e6 }, 0.1 + 0.4],
    ['command-r-plus', 'cohere', { uncachedInput: 1e6, visibleOutput: 1e6 }, 2.5 + 10],
  ] as const) {
    test(`${model} by ${format}`, () => {
      close(priceOf(used(model, format, given)), expected)
    })
  }

  test('knows the provider by its host, and takes one that is named', () => {
    const deepseek = priceOf(used('deepseek-chat', 'openai-chat', { uncachedInput: 1e6 }, 'api.deepseek.com'))
    assert.ok(deepseek !== undefined && deepseek > 0)
    close(genaiPrices({ provider: 'openai' })(used('gpt-4o', 'openai-chat', { uncachedInput: 1e6 })), 2.5)
  })

  test('finds models of other providers that speak the same protocol by their names', () => {
    assert.ok((priceOf(used('claude-sonnet-4-20250514', 'openai-chat', { uncachedInput: 1e6 })) ?? 0) > 0)
  })

  test('does not know models that do not exist, and charges nothing for nothing', () => {
    assert.equal(priceOf(used('no-such-model', 'openai-chat', { uncachedInput: 1 })), undefined)
    assert.equal(priceOf({ ...used('no-such-model', 'openai-chat', {}), tokens: undefined }), 0)
  })

  describe('remembers where it found a model', () => {
    /** The package, with what it is asked. */
    const watched = (t: TestContext) => {
      const prices = require('@pydantic/genai-prices') as PricesPackage
      const { mock } = t.mock.method(prices, 'calcPrice')
      const searches = () => mock.calls.filter(({ arguments: [, , { provider }] }) => provider === undefined).length
      return { prices, priceOf: genaiPrices(), searches, calls: () => mock.callCount() }
    }

    test('and asks for its price alone from then on', (t) => {
      const { priceOf, searches, calls } = watched(t)
      const first = priceOf(used('gpt-4o', 'openai-chat', { uncachedInput: 1e6 }, 'api.openai.com'))
      const length = calls()
      assert.equal(searches(), length)
      const again = priceOf(used('gpt-4o', 'openai-chat', { uncachedInput: 1e6 }, 'api.openai.com'))
      assert.deepEqual([again, searches(), calls()], [first, length, length + 1])
      close(priceOf(used('gpt-4o', 'openai-chat', { uncachedInput: 2e6, visibleOutput: 1e5 }, 'api.openai.com')), 5 + 1)
      assert.equal(searches(), length)
    })

    test('that no provider has, as well', (t) => {
      const { priceOf, calls } = watched(t)
      assert.equal(priceOf(used('no-such-model', 'openai-chat', { uncachedInput: 1 })), undefined)
      const length = calls()
      assert.equal(priceOf(used('no-such-model', 'openai-chat', { uncachedInput: 1 })), undefined)
      assert.equal(calls(), length)
    })

    test('for each provider by itself', (t) => {
      const { priceOf } = watched(t)
      const models = ['gpt-4o', 'deepseek-chat', 'llama-3.3-70b-versatile', 'claude-sonnet-4-20250514']
      const hosts = ['api.openai.com', 'api.groq.com', 'api.deepseek.com', 'example.com', undefined]
      const all = models.flatMap((model) =>
        hosts.map((host) => used(model, 'openai-chat', { uncachedInput: 3e5, cachedInput: 7, visibleOutput: 9 }, host)),
      )
      const before = all.map((each) => genaiPrices()(each))
      assert.deepEqual(all.map(priceOf), before)
      assert.deepEqual(all.map(priceOf), before)
    })

    test('of no more than a thousand', (t) => {
      const { priceOf, searches } = watched(t)
      const ask = (model: string) => priceOf(used(model, 'openai-chat', { uncachedInput: 1e6 }, 'api.openai.com'))
      ask('gpt-4o')
      const first = searches()
      // Each is looked for at the provider, and by its name.
      for (let at = 0; at < 500; at++) ask(`no-such-model-${at}`)
      assert.equal(searches(), first + 1000)
      close(ask('gpt-4o'), 2.5)
      assert.equal(searches(), first + 1001)
    })

    test('until the package has newer prices', (t) => {
      const { prices, priceOf, searches } = watched(t)
      const { findProvider } = prices
      let newer: { readonly id: string } | undefined
      t.mock.method(prices, 'findProvider', (options: Parameters<typeof findProvider>[0]) =>
        options.providerId === 'openai' && newer ? newer : findProvider(options),
      )
      const priceNow = genaiPrices()
      const ask = () => priceNow(used('gpt-4o', 'openai-chat', { uncachedInput: 1e6 }))
      assert.equal(ask(), priceOf(used('gpt-4o', 'openai-chat', { uncachedInput: 1e6 })))
      const before = searches()
      ask()
      assert.equal(searches(), before)
      newer = { id: 'openai' }
      ask()
      assert.equal(searches(), before + 1)
    })
  })

  test('refuses a provider that is none', () => {
    assert.throws(() => genaiPrices({ provider: 5 as never }), /genaiPrices: provider takes the provider's id/)
  })
})
