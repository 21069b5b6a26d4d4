import type { FormatName } from './format.js'

/** Fields of OpenAI's chat completions, which others have taken over. */
const chat = [
  ...['model', 'messages', 'user', 'metadata', 'store', 'stream', 'n', 'seed', 'stop', 'temperature', 'top_p'],
  ...['logprobs', 'top_logprobs', 'frequency_penalty', 'presence_penalty', 'max_tokens', 'max_completion_tokens'],
  ...['logit_bias', 'response_format', 'reasoning_effort', 'tools', 'tool_choice', 'modalities', 'service_tier'],
  ...['parallel_tool_calls', 'verbosity'],
] as const

const ollama = [
  'model',
  'stream',
  'format',
  'options',
  'think',
  'template',
  'raw',
  'keep_alive',
  'num_predict',
] as const

/**
 * The fields of requests that are known by name, so that a slip in one is found. Names with an underscore need not be here
 * to be taken, only to have their slips found.
 */
const fieldsOf = {
  'openai-chat': chat,
  'openai-completions': ['prompt'],
  'openai-responses': [
    ...['input', 'instructions', 'max_output_tokens', 'reasoning', 'include', 'text', 'truncation', 'background'],
  ],
  'openai-embeddings': ['dimensions'],
  'openai-media': ['size', 'quality', 'voice', 'style'],
  anthropic: ['system', 'stop_sequences', 'thinking', 'top_k'],
  gemini: [
    ...['contents', 'generationConfig', 'safetySettings', 'systemInstruction', 'toolConfig', 'cachedContent', 'labels'],
  ],
  'gemini-interactions': ['input'],
  'bedrock-converse': [
    ...['inferenceConfig', 'guardrailConfig', 'toolConfig', 'additionalModelRequestFields', 'performanceConfig'],
    'requestMetadata',
  ],
  'bedrock-invoke': ['maxTokens'],
  'ollama-chat': ollama,
  'ollama-generate': ollama,
  cohere: ['documents', 'connectors', 'k', 'p'],
  tgi: ['parameters', 'max_new_tokens', 'max_length'],
  'llama-cpp': ['n_predict', 'cache_prompt', 'grammar', 'json_schema', 'response_fields', 'id_slot'],
} as const satisfies Readonly<Record<FormatName, readonly string[]>>

/** Fields of gateways (OpenRouter, Vercel, LiteLLM) and of servers of open models. */
const others = [
  ...['provider', 'providerOptions', 'models', 'preset', 'plugins', 'route', 'transforms', 'fallbacks', 'extra_body'],
  ...['effort', 'top_a', 'min_p', 'repetition_penalty'],
] as const

/** Name of a field that a provider is known to take. */
export type RequestField = (typeof fieldsOf)[FormatName][number] | (typeof others)[number]

/** Names of the fields that providers are known to take. */
export const requestFields: readonly RequestField[] = [...new Set([...Object.values(fieldsOf).flat(), ...others])]
