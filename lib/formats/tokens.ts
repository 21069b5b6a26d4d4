import type { Counting, Place, Usage } from './message.js'

/**
 * Tokens with one meaning for all providers: parts that overlap nowhere, and their sum. A part that the provider does not
 * tell is 0; `usage` says what was told.
 */
export interface Tokens {
  /** Input that was neither read from a cache nor written to one. */
  readonly uncachedInput: number
  /** Input that was read from a cache. */
  readonly cachedInput: number
  /** Input that was written to a cache. */
  readonly cacheWrite: number
  /** Output but for the reasoning: text, refusals, arguments of tool calls. */
  readonly visibleOutput: number
  /** Reasoning, whether or not it was sent. */
  readonly reasoning: number
  /** The sum of the five. */
  readonly total: number
}

/**
 * Takes a provider's usage apart by what its figures mean. A part that is larger than its whole cannot be inside of it,
 * whatever the provider's documentation says. What a total has beyond all parts is output that is told nowhere else, as
 * Google's thoughts are behind its endpoint in OpenAI's protocol.
 */
export function tokensOf(usage: Usage, counting: Counting): Tokens {
  const { inputTokens = 0, outputTokens = 0, totalTokens = 0 } = usage
  const { cachedInputTokens = 0, cacheWriteTokens = 0 } = usage
  const cache = cachedInputTokens + cacheWriteTokens
  // Claude tells no total, and counts the cache beside.
  const hasRoom = usage.totalTokens === undefined || totalTokens >= inputTokens + outputTokens + cache
  const uncachedInput = isBeside(counting.cache, cache, inputTokens, hasRoom) ? inputTokens : inputTokens - cache
  const told = usage.reasoningTokens ?? 0
  const visibleOutput = hasReasoningBeside(usage, counting) ? outputTokens : outputTokens - told
  const parts = uncachedInput + cache + visibleOutput + told
  const rest = Math.max(0, totalTokens - parts)
  // Where neither input nor output is told, nothing was written: such totals are those of embeddings.
  const isInput = usage.inputTokens === undefined && usage.outputTokens === undefined && told === 0
  return {
    uncachedInput: uncachedInput + (isInput ? rest : 0),
    cachedInput: cachedInputTokens,
    cacheWrite: cacheWriteTokens,
    visibleOutput,
    reasoning: told + (isInput ? 0 : rest),
    total: parts + rest,
  }
}

/** Whether the reasoning tokens are no part of the output tokens. */
function hasReasoningBeside(usage: Usage, counting: Counting): boolean {
  const { outputTokens = 0, reasoningTokens = 0 } = usage
  return isBeside(counting.reasoning, reasoningTokens, outputTokens, reasoningBesideOutput(usage) > 0)
}

/**
 * Reasoning tokens that are no part of the output tokens, as the total tells. Gemini counts so
 * (https://ai.google.dev/api/generate-content#UsageMetadata), and others in OpenAI's protocol (xAI).
 */
export function reasoningBesideOutput(usage: Usage): number {
  const { inputTokens = 0, outputTokens = 0, reasoningTokens = 0, totalTokens = 0 } = usage
  return totalTokens >= inputTokens + outputTokens + reasoningTokens ? reasoningTokens : 0
}

function isBeside(place: Place, part: number, whole: number, hasRoom: boolean): boolean {
  return place === 'beside' || part > whole || (place === 'by total' && hasRoom)
}
