import type { Counting, Place, Usage } from './message.js'

/**
 * Token counts with the same meaning for all providers: parts that do not overlap, and their sum. A part that the
 * provider does not report is 0; `usage` shows what it reported.
 */
export interface Tokens {
  /** Input that was neither read from a cache nor written to one. */
  readonly uncachedInput: number
  /** Input that was read from a cache. */
  readonly cachedInput: number
  /** Input that was written to a cache. */
  readonly cacheWrite: number
  /** Output without reasoning: text, refusals, arguments of tool calls. */
  readonly visibleOutput: number
  /** Reasoning, whether or not it was sent. */
  readonly reasoning: number
  /** The sum of the five. */
  readonly total: number
}

/**
 * Splits a provider's usage into parts that do not overlap. A part larger than its whole cannot be inside it, whatever
 * the provider's documentation says. If the total exceeds all parts, the rest is output that is not reported elsewhere,
 * such as Google's thoughts in its endpoint for OpenAI's protocol.
 */
export function tokensOf(usage: Usage, counting: Counting): Tokens {
  const { inputTokens = 0, outputTokens = 0, totalTokens = 0 } = usage
  const { cachedInputTokens = 0, cacheWriteTokens = 0 } = usage
  const cache = cachedInputTokens + cacheWriteTokens
  // Claude reports no total, and counts the cache in addition to the input.
  const hasRoom = usage.totalTokens === undefined || totalTokens >= inputTokens + outputTokens + cache
  const uncachedInput = isOutside(counting.cache, cache, inputTokens, hasRoom) ? inputTokens : inputTokens - cache
  const reasoning = usage.reasoningTokens ?? 0
  const visibleOutput = hasReasoningOutside(usage, counting) ? outputTokens : outputTokens - reasoning
  const parts = uncachedInput + cache + visibleOutput + reasoning
  const rest = Math.max(0, totalTokens - parts)
  // If neither input nor output is reported, nothing was written: embeddings have such totals.
  const isInput = usage.inputTokens === undefined && usage.outputTokens === undefined && reasoning === 0
  return {
    uncachedInput: uncachedInput + (isInput ? rest : 0),
    cachedInput: cachedInputTokens,
    cacheWrite: cacheWriteTokens,
    visibleOutput,
    reasoning: reasoning + (isInput ? 0 : rest),
    total: parts + rest,
  }
}

/** Returns whether the output tokens exclude the reasoning tokens. */
function hasReasoningOutside(usage: Usage, counting: Counting): boolean {
  const { outputTokens = 0, reasoningTokens = 0 } = usage
  return isOutside(counting.reasoning, reasoningTokens, outputTokens, reasoningOutsideOutput(usage) > 0)
}

/**
 * Returns the reasoning tokens that the output tokens exclude, according to the total. Gemini counts this way
 * (https://ai.google.dev/api/generate-content#UsageMetadata), and so do others that use OpenAI's protocol (xAI).
 */
export function reasoningOutsideOutput(usage: Usage): number {
  const { inputTokens = 0, outputTokens = 0, reasoningTokens = 0, totalTokens = 0 } = usage
  return totalTokens >= inputTokens + outputTokens + reasoningTokens ? reasoningTokens : 0
}

function isOutside(place: Place, part: number, whole: number, hasRoom: boolean): boolean {
  return place === 'outside' || part > whole || (place === 'by total' && hasRoom)
}
