/**
 * The fields of requests that are known by name, of all formats, so that a slip in one is found. Names with an underscore
 * need not be here to be taken, only to have their slips found.
 */
export const modelFieldNames = [
  ...[
    'model',
    'messages',
    'input',
    'prompt',
    'contents',
    'system',
    'instructions',
    'user',
    'metadata',
    'store',
    'stream',
  ],
  ...['n', 'seed', 'stop', 'temperature', 'top_p', 'top_k', 'top_a', 'min_p', 'k', 'p', 'logprobs', 'top_logprobs'],
  ...[
    'frequency_penalty',
    'presence_penalty',
    'repetition_penalty',
    'max_tokens',
    'max_completion_tokens',
    'logit_bias',
  ],
  ...[
    'max_output_tokens',
    'max_new_tokens',
    'max_length',
    'maxTokens',
    'num_predict',
    'stop_sequences',
    'response_format',
  ],
  ...[
    'reasoning',
    'reasoning_effort',
    'thinking',
    'include',
    'text',
    'truncation',
    'tools',
    'tool_choice',
    'modalities',
  ],
  ...[
    'service_tier',
    'parallel_tool_calls',
    'verbosity',
    'size',
    'quality',
    'voice',
    'style',
    'background',
    'dimensions',
  ],
  ...[
    'format',
    'options',
    'think',
    'template',
    'raw',
    'keep_alive',
    'parameters',
    'generationConfig',
    'safetySettings',
  ],
  ...['systemInstruction', 'toolConfig', 'cachedContent', 'labels', 'inferenceConfig', 'guardrailConfig', 'toolConfig'],
  ...['additionalModelRequestFields', 'performanceConfig', 'requestMetadata', 'provider', 'providerOptions', 'models'],
  ...['preset', 'plugins', 'route', 'transforms', 'fallbacks', 'extra_body', 'documents', 'connectors', 'effort'],
] as const

type ModelFieldName = (typeof modelFieldNames)[number]

/**
 * Fields of a request's body: those known by name, and any other whose name has an underscore. A name without one that is
 * not known is an error for the compiler, which then suggests the likely spelling. `undefined` among the overrides takes a
 * field out.
 */
export type ModelFields = {
  /**
   * The most tokens that one answer may have. It is written in the field that the request's format has for it
   * (`max_tokens`, `generationConfig.maxOutputTokens`, …).
   */
  maxOutputTokens?: number | undefined
  /** How random the answer is. */
  temperature?: number | undefined
  /** A field of the provider's. */
  [field: `${string}_${string}`]: unknown
} & Partial<Record<ModelFieldName, unknown>>
