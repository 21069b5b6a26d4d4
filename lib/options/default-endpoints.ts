const GOOGLE_METHODS = [
  ...['generateContent', 'streamGenerateContent', 'countTokens', 'computeTokens', 'embedContent', 'batchEmbedContents'],
  ...['generateText', 'generateMessage', 'generateAnswer', 'embedText', 'batchEmbedText', 'countTextTokens'],
  ...['predict', 'rawPredict', 'streamRawPredict', 'predictLongRunning', 'fetchPredictOperation'],
]

/** Below an Azure deployment, and elsewhere: what OpenAI's protocol has to generate with. */
const OPENAI = [...['chat/completions', 'completions', 'responses', 'embeddings', 'images/generations', 'audio/speech']]

/** The endpoints that take forms with files, which are neither parsed nor changed on their way. */
export const uploadEndpoints: readonly string[] = [
  ...['audio/transcriptions', 'audio/translations', 'images/edits', 'images/variations'],
].flatMap((path) => [`POST **/${path}`, `POST **/deployments/*/${path}`])

/**
 * The endpoints that can be reached by default: those that generate, count tokens, embed, rank or classify, list models, or
 * read what is known by an id that nobody can guess. What a format claims is among them. `*` stands for a part of one path
 * segment; `**` in front for any base path.
 */
export const defaultEndpoints: readonly string[] = [
  ...OPENAI.flatMap((path) => [`POST **/${path}`, `POST **/deployments/*/${path}`]),
  ...uploadEndpoints,
  'POST **/models/chat/completions',
  'POST **/models/embeddings',
  'POST **/models/images/embeddings',
  'POST **/deployments/*/extensions/chat/completions',
  'POST **/endpoints/openapi/chat/completions',
  'POST **/serving-endpoints/chat/completions',
  'POST **/serving-endpoints/completions',
  'POST **/serving-endpoints/embeddings',
  'POST **/serving-endpoints/responses',
  'POST **/serving-endpoints/*/invocations',
  'POST **/fim/completions',
  'POST **/agents/completions',
  'POST **/moderations',
  'POST **/chat/moderations',
  'POST **/ocr',
  'POST **/responses/input_tokens',
  'POST **/responses/compact',
  'POST **/responses/*/cancel',
  'GET **/responses/*',
  'GET **/responses/*/input_items',
  'DELETE **/responses/*',
  'POST messages',
  'POST messages/count_tokens',
  'POST **/v1/messages',
  'POST **/v1/messages/count_tokens',
  'POST **/anthropic/messages',
  'POST **/anthropic/messages/count_tokens',
  'GET **/models',
  'GET **/models/*',
  'GET **/models/*/*',
  'GET **/models/*/*/endpoints',
  // Models of Ollama that are Hugging Face's.
  'GET **/models/hf.co/*/*',
  'GET **/models/*/operations/*',
  'GET **/models/accounts/*/models/*',
  ...['models', 'tunedModels'].flatMap((collection) =>
    GOOGLE_METHODS.map((method) => `POST **/${collection}/*:${method}`),
  ),
  // Models that somebody has tuned; what else runs at an endpoint of Vertex AI may be anything.
  ...GOOGLE_METHODS.slice(0, 4).map((method) => `POST **/endpoints/*:${method}`),
  ...['v1beta', 'v1beta1', 'v1alpha'].flatMap((version) => [
    `POST **/${version}/interactions`,
    `POST **/${version}/interactions/*/cancel`,
    `GET **/${version}/interactions/*`,
    `DELETE **/${version}/interactions/*`,
  ]),
  'POST **/model/*/converse',
  'POST **/model/*/converse-stream',
  'POST **/model/*/invoke',
  'POST **/model/*/invoke-with-response-stream',
  'POST **/model/*/count-tokens',
  'POST **/guardrail/*/version/*/apply',
  'POST **/api/chat',
  'POST **/api/generate',
  'POST **/api/embed',
  'POST **/api/embeddings',
  'POST **/api/show',
  'GET **/api/tags',
  'GET **/api/ps',
  'GET **/api/version',
  'GET /',
  'POST **/v1/chat',
  'POST **/v2/chat',
  'POST embed',
  'POST rerank',
  'POST **/v1/rerank',
  'POST **/v2/rerank',
  'POST score',
  'POST classify',
  'POST tokenize',
  'POST detokenize',
  'POST completion',
  'POST infill',
  'POST generate_stream',
  'GET health',
  'GET version',
  'GET **/api/v1/key',
  'GET **/api/v1/credits',
  'GET **/api/v1/generation',
]
