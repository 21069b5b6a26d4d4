/** Endpoints and headers of servers and gateways that have no format of their own, or several. */

/** Their endpoints, as rules: they list models, rank, classify, count, or report on a request by its id. */
export const otherEndpoints: readonly string[] = [
  ...['POST **/moderations', 'POST **/chat/moderations', 'POST **/ocr'],
  'GET **/models',
  'GET **/models/*',
  'GET **/models/*/*',
  'GET **/models/*/*/endpoints',
  // Hugging Face models in Ollama.
  'GET **/models/hf.co/*/*',
  'GET **/models/accounts/*/models/*',
  ...['POST score', 'POST classify', 'POST tokenize', 'POST detokenize'],
  ...['GET health', 'GET version'],
  ...['GET **/api/v1/key', 'GET **/api/v1/credits', 'GET **/api/v1/generation'],
]

/** Their paths that generate no text. */
export const otherSilentPaths: readonly RegExp[] = [
  /\/(?:score|classify|moderations|ocr|(?:de)?tokenize|(?:count|input)[_-]tokens)$/,
]

/**
 * Paths that accept only JSON, on some servers whatever its content type: llama.cpp, TEI, vLLM, Mistral, Ollama,
 * Databricks, Bedrock.
 */
export const jsonAlonePaths: readonly RegExp[] = [
  /\/(?:completion|infill|embed|rerank|score|classify|(?:de)?tokenize|moderations|ocr|invocations|api\/show|guardrail\/.+\/apply)$/,
]

/**
 * Their request headers: the calling app (OpenRouter), the conversation, for caches (xAI and others), and Alibaba's check
 * of what goes in and out, without which the model would answer all the same.
 */
export const otherRequestHeaders: readonly string[] = [
  'x-dashscope-datainspection',
  ...['http-referer', 'x-title', 'x-openrouter-*', 'x-client-name'],
  ...['session_id', 'conversation_id', 'x-session-affinity', 'x-grok-conv-id'],
]

/**
 * Response headers with their ids of requests: Azure, gateways (LiteLLM, Cloudflare), NVIDIA, Mistral, DeepSeek, and AWS
 * in front of other protocols.
 */
export const otherRequestIdHeaders: readonly string[] = [
  ...['apim-request-id', 'x-ms-request-id', 'x-litellm-call-id', 'cf-aig-log-id', 'nvcf-reqid'],
  ...['mistral-correlation-id', 'x-ds-trace-id', 'x-amzn-requestid'],
]

/** Names of their response headers. */
export const otherResponseHeaders: readonly RegExp[] = [
  /^nvcf-status$/,
  /^x-amz-(?:id-2|cf-id|apigw-id)$/,
  /^(?:mistral|fireworks|llm_provider|cf-aig|helicone)-/,
  /^x-(?:groq|openrouter|together|fireworks|xai|databricks|dashscope|litellm|portkey|kong|compute|mistral)-/,
]

/** Those of these names, and of the formats' own, that instruct browsers or proxies in front of the app. */
export const otherInstructionHeaders = /^(?:x-kong-limit|x-ms-invokeapp|x-amzn-oidc-.*)$/

/** Gateways (LiteLLM) merge the fields in this one into the request, in place of those next to it. */
export const extraBody = 'extra_body'

/** Fields in which gateways take fallback models: https://openrouter.ai/docs/features/model-routing, LiteLLM. */
export const fallbackFields: readonly string[] = ['models', 'fallbacks', 'fallback_models']
/** LiteLLM's fallbacks for some failures: objects, or lists of them, each mapping a model's name to its fallbacks. */
export const fallbackMapFields: readonly string[] = [
  ...['content_policy_fallbacks', 'context_window_fallbacks'],
  'context_window_fallback_dict',
]
/** Fields in which LiteLLM takes a whole routing of the client's own, in which any name may stand for any model. */
export const routingFields: readonly string[] = ['user_config', 'router_settings_override', 'model_list']
/** OpenRouter's panels of models: https://openrouter.ai/docs/guides/features/plugins/fusion */
export const panelFields: readonly string[] = ['model', 'analysis_models']
/** Where Groq takes the models of which its compound systems consist: https://console.groq.com/docs/api-reference#chat-create */
export const compoundModelsPath: readonly string[] = ['compound_custom', 'models']
/** Where Vercel's gateway takes fallback models. */
export const gatewayModelsPath: readonly string[] = ['providerOptions', 'gateway', 'models']

/** Request headers that name a model as well: where Azure takes the one that draws the pictures of a response. */
export const modelHeaders: readonly string[] = ['x-ms-oai-image-generation-deployment']

/** Words in their base paths before the version, in addition to those of the formats: OpenRouter's `/api/v1/…`. */
export const otherPrefixes: readonly string[] = ['api']
