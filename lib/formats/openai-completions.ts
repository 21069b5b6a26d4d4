import { builtIn } from './built-in.js'
import { textAt } from './fields.js'
import type { JsonObject } from './format.js'
import type { ParsedMessage } from './message.js'
import { openai } from './openai.js'
import {
  choicesFields,
  choicesProgress,
  generatingAt,
  openAiCounting,
  readChoices,
  streamUsageRequest,
  takesStreamUsageRequest,
  tokensMarker,
} from './openai-choices.js'
import { EACH, placesAt } from './text-places.js'

/** OpenAI's legacy completions: https://platform.openai.com/docs/api-reference/completions */
export const openaiCompletions = builtIn({
  ...openai,
  name: 'openai-completions',
  provider: 'openai',
  paths: [/\/completions$/],
  endpoints: [...generatingAt('completions'), 'POST **/serving-endpoints/completions'],
  operation: () => 'text_completion',
  usageMarker: tokensMarker,
  counting: openAiCounting,
  modelFields: [['model']],
  answerFields: choicesFields,
  usageRequest: streamUsageRequest,
  takesUsageRequest: takesStreamUsageRequest,
  progressIn: choicesProgress,
  readMessage: read,
  readAnswer: read,
  textsIn: (data) => [
    ...placesAt(data, 'text', ['choices', EACH, 'text']),
    ...placesAt(data, 'repeated', ['choices', EACH, 'logprobs', 'tokens', EACH]),
  ],
  maxOutputTokensPath: () => ['max_tokens'],
})

function read(data: JsonObject): ParsedMessage {
  return readChoices(data, (choice) => textAt(choice, 'text'))
}
