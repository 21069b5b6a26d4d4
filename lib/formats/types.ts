import type { CustomFormatName } from './format.js'

/**
 * What hooks get, per format: the fields that are worth reading or changing, as the providers document them. All other
 * fields are present, too, as `unknown`.
 */
interface Open {
  [field: string]: unknown
}

type Role = 'system' | 'developer' | 'user' | 'assistant' | 'tool' | 'function'

interface ChatMessage extends Open {
  role: Role
  content?: string | Open[] | null
}

interface OpenAiUsage extends Open {
  prompt_tokens?: number
  completion_tokens?: number
  total_tokens?: number
}

interface StreamOptions extends Open {
  include_usage?: boolean
}

/** https://platform.openai.com/docs/api-reference/chat */
interface OpenAiChatRequest extends Open {
  model?: string
  messages?: ChatMessage[]
  stream?: boolean
  stream_options?: StreamOptions
  max_tokens?: number
  max_completion_tokens?: number
  temperature?: number
}

interface OpenAiChatChunk extends Open {
  id?: string
  model?: string
  choices?: (Open & { index?: number; delta?: Open & { content?: string | null }; finish_reason?: string | null })[]
  usage?: OpenAiUsage | null
}

/** https://platform.openai.com/docs/api-reference/completions */
interface OpenAiCompletionsRequest extends Open {
  model?: string
  prompt?: unknown
  stream?: boolean
  stream_options?: StreamOptions
  max_tokens?: number
}

interface OpenAiCompletionsChunk extends Open {
  id?: string
  model?: string
  choices?: (Open & { index?: number; text?: string; finish_reason?: string | null })[]
  usage?: OpenAiUsage | null
}

/** https://platform.openai.com/docs/api-reference/responses */
interface OpenAiResponsesRequest extends Open {
  model?: string
  input?: unknown
  instructions?: string
  stream?: boolean
  max_output_tokens?: number
}

interface OpenAiResponsesEvent extends Open {
  type?: string
  delta?: string
  response?: Open & { id?: string; model?: string; status?: string }
}

/** https://platform.openai.com/docs/api-reference/embeddings */
interface OpenAiEmbeddingsRequest extends Open {
  model?: string
  input?: unknown
}

/** https://docs.anthropic.com/en/api/messages */
interface AnthropicRequest extends Open {
  model?: string
  messages?: (Open & { role: 'user' | 'assistant'; content?: string | Open[] })[]
  system?: string | Open[]
  max_tokens?: number
  stream?: boolean
}

interface AnthropicEvent extends Open {
  type?: string
  delta?: Open & { type?: string; text?: string; stop_reason?: string | null }
  message?: Open & { id?: string; model?: string }
  usage?: Open & { input_tokens?: number; output_tokens?: number }
}

/** https://ai.google.dev/api/generate-content */
interface GeminiRequest extends Open {
  contents?: (Open & { role?: string; parts?: Open[] })[]
  systemInstruction?: Open
  generationConfig?: Open & { maxOutputTokens?: number; temperature?: number }
}

interface GeminiResponse extends Open {
  candidates?: (Open & {
    content?: Open & { parts?: (Open & { text?: string })[] }
    finishReason?: string
  })[]
  usageMetadata?: Open
  modelVersion?: string
}

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html */
interface BedrockConverseRequest extends Open {
  messages?: (Open & { role?: string; content?: Open[] })[]
  system?: Open[]
  inferenceConfig?: Open & { maxTokens?: number; temperature?: number }
}

interface BedrockConverseEvent extends Open {
  delta?: Open & { text?: string }
  stopReason?: string
  usage?: Open
}

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html */
type BedrockInvokeRequest = Open
interface BedrockInvokeEvent extends Open {
  /** Base64 of a JSON message in the model's own protocol. */
  bytes?: string
}

/** https://github.com/ollama/ollama/blob/main/docs/api.md */
interface OllamaRequest extends Open {
  model?: string
  messages?: ChatMessage[]
  prompt?: string
  stream?: boolean
  options?: Open & { num_predict?: number; temperature?: number }
}

interface OllamaLine extends Open {
  model?: string
  message?: ChatMessage
  response?: string
  done?: boolean
  done_reason?: string
}

/** https://platform.openai.com/docs/api-reference/images, https://platform.openai.com/docs/api-reference/audio */
interface OpenAiMediaRequest extends Open {
  model?: string
  prompt?: string
  input?: string
  stream?: boolean
}

interface OpenAiMediaEvent extends Open {
  type?: string
  delta?: string
  usage?: Open
}

/** https://ai.google.dev/gemini-api/docs/interactions */
interface GeminiInteractionRequest extends Open {
  model?: string
  input?: unknown
  stream?: boolean
  generation_config?: Open & { max_output_tokens?: number; temperature?: number }
}

interface GeminiInteractionEvent extends Open {
  event_type?: string
  delta?: Open & { type?: string; text?: string }
  interaction?: Open & { id?: string; model?: string; status?: string; usage?: Open }
}

/** https://huggingface.github.io/text-generation-inference/ */
interface TgiRequest extends Open {
  inputs?: string
  parameters?: Open & { max_new_tokens?: number; temperature?: number }
}

interface TgiEvent extends Open {
  token?: Open & { text?: string }
  generated_text?: string | null
  details?: Open | null
}

/** https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md */
interface LlamaCppRequest extends Open {
  prompt?: unknown
  stream?: boolean
  n_predict?: number
  temperature?: number
}

interface LlamaCppEvent extends Open {
  content?: string
  stop?: boolean
  stop_type?: string
  tokens_evaluated?: number
  tokens_predicted?: number
}

/** https://docs.cohere.com/reference/chat */
interface CohereRequest extends Open {
  model?: string
  messages?: ChatMessage[]
  stream?: boolean
  max_tokens?: number
}

interface CohereEvent extends Open {
  type?: string
  id?: string
  delta?: Open & { message?: Open; finish_reason?: string; usage?: Open }
}

/** Request bodies by format. */
export interface ProviderRequests {
  'openai-chat': OpenAiChatRequest
  'openai-completions': OpenAiCompletionsRequest
  'openai-responses': OpenAiResponsesRequest
  'openai-embeddings': OpenAiEmbeddingsRequest
  'openai-media': OpenAiMediaRequest
  anthropic: AnthropicRequest
  gemini: GeminiRequest
  'gemini-interactions': GeminiInteractionRequest
  'bedrock-converse': BedrockConverseRequest
  'bedrock-invoke': BedrockInvokeRequest
  'ollama-chat': OllamaRequest
  'ollama-generate': OllamaRequest
  cohere: CohereRequest
  tgi: TgiRequest
  'llama-cpp': LlamaCppRequest
  [custom: CustomFormatName]: Open
}

/** Data of a stream's events, by format. */
export interface ProviderEvents {
  'openai-chat': OpenAiChatChunk
  'openai-completions': OpenAiCompletionsChunk
  'openai-responses': OpenAiResponsesEvent
  'openai-embeddings': Open
  'openai-media': OpenAiMediaEvent
  anthropic: AnthropicEvent
  gemini: GeminiResponse
  'gemini-interactions': GeminiInteractionEvent
  'bedrock-converse': BedrockConverseEvent
  'bedrock-invoke': BedrockInvokeEvent
  'ollama-chat': OllamaLine
  'ollama-generate': OllamaLine
  cohere: CohereEvent
  tgi: TgiEvent
  'llama-cpp': LlamaCppEvent
  [custom: CustomFormatName]: Open
}
