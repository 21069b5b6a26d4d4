import type { ModelPrices } from 'express-ai-proxy'

/** Prices by model name, in US dollars per million tokens. */
export type ModelPriceTable = Readonly<Record<string, ModelPrices>>

/** What the stand-in's answers are said to cost, so that there is something to show. */
export const standInPrices: ModelPriceTable = { 'stand-in': { input: 2, output: 8 } }

const EXAMPLE = '{"gpt-4.1-mini": {"input": 0.4, "output": 1.6, "cachedInput": 0.1}}'
const PARTS = new Set(['input', 'output', 'cachedInput', 'cacheWrite', 'reasoning'])

/**
 * Reads `MODEL_PRICES`, which is JSON. No price of a real model is built in: it would soon be out of date, and a wrong cost is
 * worse than none.
 *
 * @throws Error if it is not an object of prices
 */
export function parsePrices(text: string | undefined): ModelPriceTable {
  if (!text) return {}
  const invalid = new Error(`MODEL_PRICES must be JSON in dollars per million tokens, such as ${EXAMPLE}`)
  let prices: unknown
  try {
    prices = JSON.parse(text)
  } catch {
    throw invalid
  }
  if (!isObject(prices) || !Object.values(prices).every(isPrice)) throw invalid
  return prices as ModelPriceTable
}

function isPrice(value: unknown): boolean {
  if (!isObject(value) || !Object.keys(value).every((part) => PARTS.has(part))) return false
  const { input, output, ...others } = value
  return [input, output, ...Object.values(others)].every((part) => typeof part === 'number' && part >= 0)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
