import { builtIn } from './built-in.js'
import { errorIn } from './error-field.js'
import { textAt, valueAt } from './fields.js'
import type { JsonObject } from './format.js'
import { tokensOfLogprobs } from './log-probabilities.js'
import type { ParsedMessage } from './message.js'
import { openai } from './openai.js'
import { generatingAt, openAiCounting, readOpenAiUsage, tokensMarker } from './openai-choices.js'
import { parsedMessage } from './parsed-message.js'
import { EACH, placesAt } from './text-places.js'

const MESSAGE = /^(?:image_generation|image_edit|transcript\.text|speech\.audio)\./

/**
 * Events that end a stream. A request may ask for several pictures, each with its own end event, so theirs are not
 * listed.
 */
const LAST = new Set(['transcript.text.done', 'speech.audio.done'])

/**
 * OpenAI's pictures, speech and transcriptions: https://platform.openai.com/docs/api-reference/images-streaming,
 * https://platform.openai.com/docs/api-reference/audio. Models billed by the picture or the second report no tokens.
 */
export const openaiMedia = builtIn({
  ...openai,
  name: 'openai-media',
  provider: 'openai',
  paths: [/\/(?:images\/(?:generations|edits|variations)|audio\/(?:speech|transcriptions|translations))$/],
  endpoints: generatingAt('images/generations', 'audio/speech'),
  uploadEndpoints: generatingAt('audio/transcriptions', 'audio/translations', 'images/edits', 'images/variations'),
  uploadPaths: [
    /\/(?:audio\/(?:transcriptions|translations)|images\/(?:edits|variations)|files|uploads\/[^/]+\/parts)\/?$/,
  ],
  reportsUsage: false,
  operation: () => 'generate_content',
  usageMarker: tokensMarker,
  counting: openAiCounting,
  modelFields: [['model']],
  answerFields: ['id', 'model', 'usage', 'error'],

  progressIn(data, event) {
    const type = textAt(data, 'type') ?? event ?? ''
    // There may be several pictures, and their number is unknown: the first completed one counts as an end.
    return MESSAGE.test(type) ? { isContent: true, isEnd: type.endsWith('.completed') } : undefined
  },

  readMessage(data, event) {
    const type = textAt(data, 'type') ?? event ?? ''
    return parsedMessage({
      ...read(data),
      text: type === 'transcript.text.delta' ? textAt(data, 'delta') : undefined,
      error: errorIn(data) ?? (type === 'error' ? textAt(data, 'message') : undefined),
      isLast: LAST.has(type),
    })
  },

  readAnswer(answer) {
    return parsedMessage({ ...read(answer), error: errorIn(answer) })
  },

  textsIn(data, event) {
    const type = textAt(data, 'type') ?? event ?? ''
    const isWhole = type === ''
    return [
      ...(type === 'transcript.text.delta' ? placesAt(data, 'text', ['delta']) : []),
      ...placesAt(data, isWhole ? 'text' : 'repeated', ['text']),
      ...placesAt(data, 'repeated', ['segments', EACH, 'text'], ['words', EACH, 'word']),
      // The model's own wording of what the user wants to see.
      ...placesAt(data, 'repeated', ['data', EACH, 'revised_prompt'], ['revised_prompt']),
      ...tokensOfLogprobs(data, ['logprobs']),
    ]
  },

  maxOutputTokensPath: () => [],
})

function read(data: JsonObject): ParsedMessage {
  return {
    model: textAt(data, 'model'),
    responseId: textAt(data, 'id'),
    usage: readOpenAiUsage(valueAt(data, 'usage')),
  }
}
