import { severalChoices } from './choices.js'
import { errorIn, hasError } from './error-field.js'
import { errorText } from './error-text.js'
import { isFailure } from './failed-finish.js'
import { allText, firstText, listAt, reasonAt, textAt, valueAt } from './fields.js'
import type { JsonObject } from './format.js'
import type { Counting, ParsedMessage, Progress, Usage } from './message.js'
import { parsedMessage } from './parsed-message.js'
import { usageReader } from './usage.js'

/**
 * OpenAI's input includes cached tokens, and its output the reasoning. xAI reports reasoning in addition to the output;
 * Google's endpoint for this protocol does not report its thoughts at all, but includes them in the total.
 */
export const openAiCounting: Counting = { cache: 'inside', reasoning: 'by total' }

/**
 * Reads usage in the forms of all servers that use OpenAI's protocols.
 *
 * - OpenAI: https://platform.openai.com/docs/api-reference/completions/object#completions/object-usage
 * - OpenRouter (`cache_write_tokens`): https://openrouter.ai/docs/use-cases/usage-accounting
 * - DeepSeek (`prompt_cache_hit_tokens`): https://api-docs.deepseek.com/guides/kv_cache
 * - LiteLLM (`cache_creation_input_tokens`): https://docs.litellm.ai/docs/completion/prompt_caching
 * - Moonshot (`cached_tokens`): https://platform.moonshot.ai/docs/api/chat
 * - Perplexity (`reasoning_tokens`): https://docs.perplexity.ai/api-reference/chat-completions-post
 * - Mistral (`num_cached_tokens`, `prompt_token_details`): https://docs.mistral.ai/api/endpoint/chat
 * - Alibaba (`prompt_tokens_details.cache_creation_input_tokens`):
 *   https://help.aliyun.com/zh/model-studio/context-cache
 * - OpenAI's newer endpoints, and servers whose chats use their names (`input_tokens`, `output_tokens`):
 *   https://platform.openai.com/docs/api-reference/images/object#images/object-usage
 * - servers in JavaScript that repeat what the AI SDK says (`promptTokens`, `inputTokens`)
 */
export const readOpenAiUsage = usageReader(
  {
    inputTokens: ['prompt_tokens', 'input_tokens', 'promptTokens', 'inputTokens'],
    outputTokens: ['completion_tokens', 'output_tokens', 'completionTokens', 'outputTokens'],
    totalTokens: ['total_tokens', 'totalTokens'],
    cachedInputTokens: [
      'prompt_tokens_details.cached_tokens',
      'prompt_token_details.cached_tokens',
      'input_tokens_details.cached_tokens',
      'prompt_cache_hit_tokens',
      'cache_read_input_tokens',
      'num_cached_tokens',
      'cached_tokens',
    ],
    cacheWriteTokens: [
      'prompt_tokens_details.cache_write_tokens',
      'prompt_tokens_details.cache_creation_input_tokens',
      'prompt_tokens_details.cache_creation_tokens',
      'input_tokens_details.cache_write_tokens',
      'cache_creation_input_tokens',
    ],
    reasoningTokens: [
      'completion_tokens_details.reasoning_tokens',
      'output_tokens_details.reasoning_tokens',
      'reasoning_tokens',
    ],
  },
  openAiCounting,
)

/**
 * Part of every message with usage, in either spelling. `usage` alone would not do: OpenAI's deltas have
 * `"usage":null`.
 */
export const tokensMarker = '_tokens"'

/** Top-level fields that {@link readChoices} reads. */
export const choicesFields = ['id', 'model', 'choices', 'usage', 'x_groq', 'error', 'object', 'message', 'code', 'type']

/** https://platform.openai.com/docs/api-reference/chat/create#chat_create-stream_options */
export const streamUsageRequest = ['stream_options', 'include_usage'] as const

/**
 * Returns whether the provider at a URL accepts the request for usage. Mistral answers it with 422, and reports usage
 * unasked.
 */
export function takesStreamUsageRequest(url: string): boolean {
  return !/^https?:\/\/[^/]*\.mistral\.ai(?::\d+)?(?:\/|$)/.test(url)
}

/** Returns the rules for generating endpoints of OpenAI, which Azure also has below its deployments. */
export function generatingAt(...paths: readonly string[]): string[] {
  return paths.flatMap((path) => [`POST **/${path}`, `POST **/deployments/*/${path}`])
}

/**
 * Reads a message of chat or legacy completions, which differ in where a choice has its text.
 *
 * @param textOf returns the text of one choice; with `n > 1` there are several, and their texts are joined
 * @param callsTool returns whether a choice calls a tool
 */
export function readChoices(
  data: JsonObject,
  textOf: (choice: unknown) => string | undefined,
  callsTool?: (choice: unknown) => boolean,
): ParsedMessage {
  const choices = listAt(data, 'choices')
  const usage = usageIn(data, choices)
  const error = failureIn(data) ?? firstText(choices, choiceError)
  const reasons = choices.map((choice) => reasonAt(choice, 'finish_reason'))
  return parsedMessage({
    model: textAt(data, 'model'),
    responseId: textAt(data, 'id'),
    // One choice that failed is a failure, whichever it is.
    finishReason: reasons.find((reason) => reason !== undefined && isFailure(reason)) ?? reasons.find(Boolean),
    usage,
    text: allText(choices, textOf),
    callsTool: callsTool && choices.some(callsTool),
    error,
    isUsageOnly: usage !== undefined && error === undefined && choices.every(isEmpty) && hasOnlyUsage(data),
  })
}

/** Returns how far a message of chat or legacy completions brings its stream. */
export function choicesProgress(data: JsonObject): Progress | undefined {
  const isPiece =
    Array.isArray(data.choices) || /^(?:chat\.completion\.chunk|text_completion)/.test(textAt(data, 'object') ?? '')
  return isPiece ? { choices: severalChoices(data.choices, (choice) => reasonAt(choice, 'finish_reason')) } : undefined
}

/** Reads the failure of a choice. Some gateways have it in the piece that would have come next, or in the message. */
function choiceError(choice: unknown): string | undefined {
  return errorIn(choice) ?? errorIn(valueAt(choice, 'delta')) ?? errorIn(valueAt(choice, 'message'))
}

/**
 * Reads usage. Groq has it in `x_groq` (https://console.groq.com/docs/api-reference), Moonshot in the choice that ends.
 */
function usageIn(data: JsonObject, choices: readonly unknown[]): Usage | undefined {
  let usage = readOpenAiUsage(data.usage) ?? readOpenAiUsage(valueAt(data, 'x_groq', 'usage'))
  for (const choice of choices) usage ??= readOpenAiUsage(valueAt(choice, 'usage'))
  return usage
}

/** Reads a failure. vLLM and Mistral report errors without a field `error`: `{"object":"error","message":…}`. */
function failureIn(data: JsonObject): string | undefined {
  return data.object === 'error' && !hasError(data) ? errorText(data) : errorIn(data)
}

/**
 * Fields that matter to a client which did not ask for usage: Azure's filters, and search results. Everything else that
 * servers send next to usage (costs, timings, checkpoints) is about the usage, and new names appear every month.
 */
const RELEVANT_FIELDS = [
  'prompt_filter_results',
  'citations',
  'search_results',
  'images',
  'related_questions',
  'error',
  'errors',
]

/** Fields in which servers without `choices` have the text (Baidu's `result`, Cloudflare's `response`). */
const ANSWER_FIELDS = ['result', 'response', 'text', 'content', 'delta', 'output', 'generated_text']

/**
 * Returns whether a message has nothing but usage that matters to the client. Without `choices`, a field for the text
 * shows another protocol, even if it is empty.
 */
function hasOnlyUsage(data: JsonObject): boolean {
  const hasText = 'choices' in data ? (field: string) => !isEmpty(data[field]) : (field: string) => field in data
  return RELEVANT_FIELDS.every((field) => isEmpty(data[field])) && !ANSWER_FIELDS.some(hasText)
}

function isEmpty(value: unknown): boolean {
  return !value || (typeof value === 'object' && Object.keys(value).length === 0)
}
