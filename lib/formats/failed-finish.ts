/**
 * Returns whether a finish reason reports a failure: OpenRouter's `error`, Cohere's `ERROR`, `ERROR_TOXIC` and
 * `TIMEOUT` (https://docs.cohere.com/reference/chat), Zhipu's `network_error`
 * (https://docs.z.ai/api-reference/llm/chat-completion), the responses API's `failed`, DeepSeek's
 * `insufficient_system_resource` (https://api-docs.deepseek.com/api/create-chat-completion), and `abort` of vLLM and SGLang,
 * which have stopped the model themselves. `cancelled` is none: somebody wanted that.
 */
export function isFailure(finishReason: string): boolean {
  const reason = finishReason.slice(0, MAX_REASON_CHARS)
  return /^(?!no_|tool_)(?:\w+_)?error(?:_\w+)?$|^(?:\w+_)?(?:timeout|overloaded|unavailable)$|^(?:failed|abort(?:ed)?|exception|failure|insufficient_system_resource|interrupted|rate_limit(?:ed|_exceeded)?)$/i.test(
    reason,
  )
}

const MAX_REASON_CHARS = 64
