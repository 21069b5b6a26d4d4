/**
 * Returns whether a finish reason reports a failure, however its words are joined: OpenRouter's `error`, Cohere's `ERROR`, `ERROR_TOXIC` and
 * `TIMEOUT` (https://docs.cohere.com/reference/chat), Zhipu's `network_error`
 * (https://docs.z.ai/api-reference/llm/chat-completion), the responses API's `failed`, DeepSeek's
 * `insufficient_system_resource` (https://api-docs.deepseek.com/api/create-chat-completion), and `abort` of vLLM and SGLang,
 * which have stopped the model themselves. `cancelled` is none: somebody wanted that. Nor is a call that failed: the model
 * wrote it.
 */
export function isFailure(finishReason: string): boolean {
  const reason = finishReason.slice(0, MAX_REASON_CHARS).replace(WORD_BREAK, '_')
  return !PARTIAL.test(reason) && FAILURES.some((pattern) => pattern.test(reason))
}

/** `server-error`, `server error`, `serverError`. */
const WORD_BREAK = /(?<=[a-z])(?=[A-Z])|[^\w]+/g

const PARTIAL = /^(?:no|tool|function|mcp|step|item)_/i

const FAILURES = [
  /^(?:\w+_)?error(?:ed|_\w+)?$/i,
  /^(?:\w+_)?(?:fail(?:ed|ure)?|crash(?:ed)?|time(?:d_)?_?out|overloaded|unavailable|disconnect(?:ed)?|out_of_memory)$/i,
  /^(?:abort(?:ed)?|exception|interrupted|rate_limit(?:ed|_exceeded)?|quota_exceeded|connection_(?:lost|closed|reset))$/i,
  /^insufficient_(?:quota|balance|credits?|system_resources?)$/i,
]

const MAX_REASON_CHARS = 64
