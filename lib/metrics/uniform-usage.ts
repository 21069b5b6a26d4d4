import type { ExchangeRecord, RecordedUsage } from '../exchange.js'
import { reasoningBesideOutput, type Usage } from '../formats/index.js'

/**
 * Formats whose input leaves out what was read from a cache or written to one; Bedrock's total has it in.
 *
 * - Anthropic, also on Bedrock: https://docs.anthropic.com/en/api/messages#response-usage
 * - Bedrock: https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
 */
const inputWithoutCache: readonly string[] = ['anthropic', 'bedrock-converse', 'bedrock-invoke']

/**
 * The usage of an exchange, with one meaning for all providers, so that figures can be added up: the input includes what
 * was cached, the output includes the reasoning. So OpenAI counts, and so OpenTelemetry wants it:
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-spans.md#inference
 */
export function uniformUsage({ format, usage }: ExchangeRecord): RecordedUsage | undefined {
  if (!usage) return undefined
  if (inputWithoutCache.includes(format) && !(format === 'bedrock-invoke' && hasCacheInInput(usage))) {
    const { inputTokens, cachedInputTokens, cacheWriteTokens } = usage
    return {
      ...usage,
      ...(inputTokens !== undefined && { inputTokens: sum(inputTokens, cachedInputTokens, cacheWriteTokens) }),
    }
  }
  // An estimate has been made from all text, thoughts as well.
  const beside = format === 'gemini' ? (usage.reasoningTokens ?? 0) : reasoningBesideOutput(usage)
  if (beside > 0 && !usage.estimated) return { ...usage, outputTokens: sum(usage.outputTokens, beside) }
  return usage
}

/**
 * Models of OpenAI's, and others that speak its protocol, have the cache in their input behind Bedrock's `invoke` as well:
 * their total, which they always tell, has no room for it beside.
 */
function hasCacheInInput(usage: Usage): boolean {
  const { inputTokens, outputTokens, totalTokens, cachedInputTokens, cacheWriteTokens } = usage
  return totalTokens !== undefined && totalTokens < sum(inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens)
}

function sum(...figures: readonly (number | undefined)[]): number {
  return figures.reduce<number>((total, figure) => total + (figure ?? 0), 0)
}
