import { builtIn } from './built-in.js'
import { errorIn } from './error-field.js'
import { textAt } from './fields.js'
import type { JsonObject } from './format.js'
import type { ParsedMessage } from './message.js'
import { openai } from './openai.js'
import { generatingAt, openAiCounting, readOpenAiUsage, tokensMarker } from './openai-choices.js'
import { parsedMessage } from './parsed-message.js'

/** OpenAI's embeddings, always plain JSON: https://platform.openai.com/docs/api-reference/embeddings */
export const openaiEmbeddings = builtIn({
  ...openai,
  name: 'openai-embeddings',
  provider: 'openai',
  paths: [/\/embeddings$/],
  endpoints: [
    ...generatingAt('embeddings'),
    'POST **/models/embeddings',
    'POST **/models/images/embeddings',
    'POST **/serving-endpoints/embeddings',
  ],
  silentPaths: [/\/embeddings$/],
  operation: () => 'embeddings',
  usageMarker: tokensMarker,
  counting: openAiCounting,
  modelFields: [['model']],
  answerFields: ['id', 'model', 'usage', 'error'],
  // Embeddings are never streamed.
  progressIn: () => undefined,
  readMessage: read,
  readAnswer: read,
  maxOutputTokensPath: () => [],
})

function read(data: JsonObject): ParsedMessage {
  return parsedMessage({
    model: textAt(data, 'model'),
    responseId: textAt(data, 'id'),
    usage: readOpenAiUsage(data.usage),
    error: errorIn(data),
  })
}
