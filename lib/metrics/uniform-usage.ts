import type { ExchangeRecord, RecordedUsage } from '../api/record.js'

/**
 * Returns the tokens of an exchange under the names of `usage`, as OpenTelemetry defines them: input includes cached
 * tokens, output includes reasoning. Unknown figures are left out.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-spans.md#inference
 */
export function uniformUsage({ usage, tokens, cache }: ExchangeRecord): RecordedUsage | undefined {
  // The tokens of a kept or shared answer belong to the exchange for which the provider wrote it.
  if (!usage || !tokens || cache === 'hit' || cache === 'join') return undefined
  const { uncachedInput, cachedInput, cacheWrite, visibleOutput, reasoning } = tokens
  const output = visibleOutput + reasoning
  return {
    ...(isKnown(usage.inputTokens, uncachedInput) && { inputTokens: uncachedInput + cachedInput + cacheWrite }),
    ...(isKnown(usage.outputTokens, output) && { outputTokens: output }),
    ...(isKnown(usage.cachedInputTokens, cachedInput) && { cachedInputTokens: cachedInput }),
    ...(isKnown(usage.cacheWriteTokens, cacheWrite) && { cacheWriteTokens: cacheWrite }),
    ...(isKnown(usage.reasoningTokens, reasoning) && { reasoningTokens: reasoning }),
    estimated: usage.estimated,
  }
}

function isKnown(reported: number | undefined, counted: number): boolean {
  return reported !== undefined || counted > 0
}
