import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FormatName, PricedUsage } from '../../lib/index.js'
import { genaiPrices } from '../../lib/prices.js'

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

  test('refuses a provider that is none', () => {
    assert.throws(() => genaiPrices({ provider: 5 as never }), /genaiPrices: provider takes the provider's id/)
  })
})
