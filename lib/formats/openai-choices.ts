import { errorIn, hasError, sentenceOf } from './failures.js'
import { allText, firstText, listAt, textAt, valueAt } from './fields.js'
import type { JsonObject, Reading, Usage } from './format.js'
import { readingOf } from './reading.js'
import { usageReader } from './usage.js'

/**
 * Usage as the servers tell it that speak OpenAI's protocols.
 *
 * - OpenAI: https://platform.openai.com/docs/api-reference/completions/object#completions/object-usage
 * - OpenRouter (`cache_write_tokens`): https://openrouter.ai/docs/use-cases/usage-accounting
 * - DeepSeek (`prompt_cache_hit_tokens`): https://api-docs.deepseek.com/guides/kv_cache
 * - LiteLLM (`cache_creation_input_tokens`): https://docs.litellm.ai/docs/completion/prompt_caching
 * - Moonshot (`cached_tokens`): https://platform.moonshot.ai/docs/api/chat
 * - Perplexity (`reasoning_tokens`): https://docs.perplexity.ai/api-reference/chat-completions-post
 */
export const readOpenAiUsage = usageReader({
  inputTokens: ['prompt_tokens'],
  outputTokens: ['completion_tokens'],
  totalTokens: ['total_tokens'],
  cachedInputTokens: [
    'prompt_tokens_details.cached_tokens',
    'prompt_cache_hit_tokens',
    'cache_read_input_tokens',
    'cached_tokens',
  ],
  cacheWriteTokens: ['prompt_tokens_details.cache_write_tokens', 'cache_creation_input_tokens'],
  reasoningTokens: ['completion_tokens_details.reasoning_tokens', 'reasoning_tokens'],
})

/**
 * What every message with usage has in it. OpenAI's own deltas have `"usage":null`, so `usage` alone would not tell
 * them apart.
 */
export const completionMarker = '"completion_tokens"'

/** https://platform.openai.com/docs/api-reference/chat/create#chat_create-stream_options */
export const streamUsageRequest = ['stream_options', 'include_usage'] as const

/**
 * What a message of chat or legacy completions says: they differ in where a choice has its text.
 *
 * @param textOf the text of one choice; with `n > 1` there are several, and what was written counts for all of them
 */
export function readChoices(data: JsonObject, textOf: (choice: unknown) => string | undefined): Reading {
  const choices = listAt(data, 'choices')
  const usage = usageIn(data, choices)
  return readingOf({
    model: textAt(data, 'model'),
    responseId: textAt(data, 'id'),
    finishReason: firstText(choices, (choice) => textAt(choice, 'finish_reason')),
    usage,
    text: allText(choices, textOf),
    error: failureIn(data) ?? firstText(choices, errorIn),
    isUsageOnly: usage !== undefined && isUsageOnly(data),
  })
}

/** Groq has it in `x_groq` (https://console.groq.com/docs/api-reference), Moonshot in the choice that ends. */
function usageIn(data: JsonObject, choices: readonly unknown[]): Usage | undefined {
  let usage = readOpenAiUsage(data.usage) ?? readOpenAiUsage(valueAt(data, 'x_groq', 'usage'))
  for (const choice of choices) usage ??= readOpenAiUsage(valueAt(choice, 'usage'))
  return usage
}

/** vLLM and Mistral say an error without a field `error`: `{"object":"error","message":…}`. */
function failureIn(data: JsonObject): string | undefined {
  return data.object === 'error' && !hasError(data) ? sentenceOf(data) : errorIn(data)
}

/** What a client that did not ask for usage loses nothing by: names, and measurements of the server's. */
const BESIDE_USAGE = new Set([
  'id',
  'object',
  'created',
  'model',
  'choices',
  'usage',
  'service_tier',
  'system_fingerprint',
  'obfuscation',
  'provider',
  'x_groq',
  'time_info',
  'timings',
])

/**
 * Whether a message with usage has nothing else: no choice, and no field of a server's own that could matter to the
 * client, such as Azure's `prompt_filter_results` or the `citations` of a search.
 */
function isUsageOnly(data: JsonObject): boolean {
  if (!Array.isArray(data.choices) || data.choices.length > 0) return false
  return Object.entries(data).every(([field, value]) => BESIDE_USAGE.has(field) || value === null)
}
