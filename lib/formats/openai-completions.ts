import { textAt } from './fields.js'
import type { Format, JsonObject, ParsedMessage } from './format.js'
import { openai } from './openai.js'
import {
  choicesFields,
  choicesProgress,
  openAiCounting,
  readChoices,
  streamUsageRequest,
  tokensMarker,
} from './openai-choices.js'

/** OpenAI's legacy completions: https://platform.openai.com/docs/api-reference/completions */
export const openaiCompletions: Format = {
  ...openai,
  name: 'openai-completions',
  usageMarker: tokensMarker,
  counting: openAiCounting,
  answerFields: choicesFields,
  usageRequest: streamUsageRequest,
  progressIn: choicesProgress,
  readMessage: read,
  readAnswer: read,
  maxOutputTokensPath: () => ['max_tokens'],
}

function read(data: JsonObject): ParsedMessage {
  return readChoices(data, (choice) => textAt(choice, 'text'))
}
