import { errorIn } from './failures.js'
import { textAt } from './fields.js'
import type { Format, JsonObject, ParsedMessage } from './format.js'
import { openai } from './openai.js'
import { openAiCounting, readOpenAiUsage, tokensMarker } from './openai-choices.js'
import { readingOf } from './reading.js'

/** OpenAI's embeddings, always plain JSON: https://platform.openai.com/docs/api-reference/embeddings */
export const openaiEmbeddings: Format = {
  ...openai,
  name: 'openai-embeddings',
  usageMarker: tokensMarker,
  counting: openAiCounting,
  answerFields: ['id', 'model', 'usage', 'error'],
  // There is no stream of them.
  progressIn: () => undefined,
  readMessage: read,
  readAnswer: read,
  maxOutputTokensPath: () => [],
}

function read(data: JsonObject): ParsedMessage {
  return readingOf({
    model: textAt(data, 'model'),
    responseId: textAt(data, 'id'),
    usage: readOpenAiUsage(data.usage),
    error: errorIn(data),
  })
}
