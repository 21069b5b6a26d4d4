import type { PricedUsage, PriceFunction } from '../api/prices.js'
import { findFormat } from '../formats/index.js'
import { rejectOption, rejectUnknownOptions } from '../util/option-errors.js'
import { modelNames } from './model-names.js'
import { PriceSearch, type PricesPackage } from './price-search.js'

const PACKAGE = '@pydantic/genai-prices'

/** Options of {@link genaiPrices}. */
export interface GenaiPricesOptions {
  /**
   * The provider that bills, by its id in the package: `openai`, `azure`, `groq`, … Default: by the target's host, or by the
   * protocol; if the provider does not have the model there, by the model's name.
   */
  readonly provider?: string
}

/**
 * Creates a function for the option `prices` that takes the prices, in US dollars, from `@pydantic/genai-prices`: a table that
 * others maintain. It has the prices of the version that is installed, and downloads nothing.
 *
 * @throws Error if the package is not installed
 * @throws TypeError if an option is wrong
 */
export function genaiPrices(options: GenaiPricesOptions = {}): PriceFunction {
  rejectUnknownOptions('genaiPrices', '', options, ['provider'])
  const { provider } = options
  if (provider !== undefined && (typeof provider !== 'string' || provider === '')) {
    rejectOption('genaiPrices', 'provider', provider, `the provider's id in ${PACKAGE}`)
  }
  const search = new PriceSearch(installed())
  const providerOf = ({ target, format }: PricedUsage): string | undefined => {
    if (provider !== undefined) return provider
    // With the option `target`, its name is its host.
    const host = target?.includes('.') ? search.providerOf(target) : undefined
    return host ?? findFormat(format)?.provider
  }
  return (used) => {
    const usage = usageOf(used)
    if (!usage) return 0
    const id = providerOf(used)
    // By the model's name alone, whoever has it, unless the app says who bills.
    const providers = id !== undefined && provider === undefined ? [id, undefined] : [id]
    for (const model of modelNames(used)) {
      for (const each of providers) {
        const price = search.priceOf(usage, model, each)
        if (price !== undefined) return price
      }
    }
    return undefined
  }
}

/** In the package's terms the input includes what a cache was involved in, and the output the reasoning. */
function usageOf({ tokens }: PricedUsage): Readonly<Record<string, number>> | undefined {
  if (!tokens) return undefined
  const { uncachedInput, cachedInput, cacheWrite, visibleOutput, reasoning } = tokens
  return {
    input_tokens: uncachedInput + cachedInput + cacheWrite,
    cache_read_tokens: cachedInput,
    cache_write_tokens: cacheWrite,
    output_tokens: visibleOutput + reasoning,
  }
}

function installed(): PricesPackage {
  try {
    return require('@pydantic/genai-prices') as PricesPackage
  } catch (cause) {
    throw new Error(`genaiPrices needs the package ${PACKAGE}: npm install ${PACKAGE}`, { cause })
  }
}
