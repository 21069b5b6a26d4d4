import { mutationsOf } from '../mutation.js'

/** What an exchange costs, and how certain that is. */
export const prices = mutationsOf(
  'prices',
  ['test/e2e/costs.test.ts', 'test/options/prices.test.ts', 'test/e2e/quota.test.ts'],
  [
    ['return [responseModel, asked, model].filter', 'return [asked, responseModel, model].filter'],
    ['cachedInput: cachedInput ?? input,', 'cachedInput: input,'],
    ['reasoning: reasoning ?? output,', 'reasoning: output,'],
    ['return { cost, isAssumed: isGuess(used, priceOf) }', 'return { cost, isAssumed: false }'],
    ['isAssumed || record.usage?.estimated === true', 'isAssumed'],
    [
      'if ((price as number) > 0 && (price as number) < LEAST_PER_MILLION)',
      'if ((price as number) < LEAST_PER_MILLION)',
    ],
    ['? undefined : Math.max(most, cost)', '? undefined : Math.min(most, cost)'],
    ['most === undefined || cost === undefined ? undefined', 'cost === undefined ? most'],
    [
      'if (!served || hasPrice(target, model, served.name ?? model)) return []',
      'if (!served || hasPrice(target, model, model)) return []',
    ],
    [
      'return name === stem || (name.startsWith(stem) &&',
      'return name === stem || (',
      'test/pricing/same-model.test.ts',
    ],
    ['if (known === null) return undefined', '', 'test/pricing/genai-prices.test.ts'],
    ['if (known.size <= MAX_REMEMBERED) return', 'return', 'test/pricing/genai-prices.test.ts'],
    ['if (provider && !this.#data) this.#forget(provider)', '', 'test/pricing/genai-prices.test.ts'],
    [
      'input_tokens: uncachedInput + cachedInput + cacheWrite',
      'input_tokens: uncachedInput + cacheWrite',
      'test/pricing/genai-prices.test.ts',
    ],
  ],
)
