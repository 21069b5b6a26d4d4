export { type GenaiPricesOptions, genaiPrices } from './pricing/genai-prices.js'
