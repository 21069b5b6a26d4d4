import type { PricedUsage, PriceFunction } from '../api/prices.js'
import { findFormat } from '../formats/index.js'
import { modelNames } from './model-names.js'

const PACKAGE = '@pydantic/genai-prices'

/** The part of the package that is used. It is an optional peer, so its own types may be missing. */
interface PricesPackage {
  calcPrice(
    usage: Readonly<Record<string, number>>,
    model: string,
    options: { readonly providerId?: string },
  ): { readonly total_price: number } | null
  findProvider(options: { readonly providerApiUrl: string }): { readonly id: string } | undefined
}

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
export function genaiPrices({ provider }: GenaiPricesOptions = {}): PriceFunction {
  if (provider !== undefined && (typeof provider !== 'string' || provider === '')) {
    throw new TypeError("genaiPrices: provider takes the provider's id in @pydantic/genai-prices")
  }
  const { calcPrice, findProvider } = installed()
  const providerOf = ({ target, format }: PricedUsage): string | undefined => {
    if (provider !== undefined) return provider
    // With the option `target`, its name is its host.
    const host = target?.includes('.') ? findProvider({ providerApiUrl: `https://${target}/` })?.id : undefined
    return host ?? findFormat(format)?.provider
  }
  return (used) => {
    const usage = usageOf(used)
    if (!usage) return 0
    const id = providerOf(used)
    const options = id === undefined ? [{}] : [{ providerId: id }, ...(provider === undefined ? [{}] : [])]
    for (const model of modelNames(used)) {
      for (const each of options) {
        const price = calcPrice(usage, model, each)
        if (price) return price.total_price
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
