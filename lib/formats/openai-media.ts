import { builtIn } from './built-in.js'
import { errorIn } from './failures.js'
import { textAt, valueAt } from './fields.js'
import type { JsonObject } from './format.js'
import type { ParsedMessage } from './message.js'
import { openai } from './openai.js'
import { generatingAt, openAiCounting, readOpenAiUsage, tokensMarker } from './openai-choices.js'
import { readingOf } from './reading.js'
import { EACH, placesAt } from './text-places.js'

const MESSAGE = /^(?:image_generation|image_edit|transcript\.text|speech\.audio)\./

/** Events that end a stream. Of pictures several may be asked for, and each has an end of its own. */
const LAST = new Set(['transcript.text.done', 'speech.audio.done'])

/**
 * OpenAI's pictures, speech and transcriptions: https://platform.openai.com/docs/api-reference/images-streaming,
 * https://platform.openai.com/docs/api-reference/audio. Models that are billed by the picture or the second tell no tokens.
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
  tellsUsage: false,
  operation: () => 'generate_content',
  usageMarker: tokensMarker,
  counting: openAiCounting,
  answerFields: ['id', 'model', 'usage', 'error'],

  progressIn(data, event) {
    const type = textAt(data, 'type') ?? event ?? ''
    // Of pictures there may be several, whose number is not told: the first that is done is taken for an end.
    return MESSAGE.test(type) ? { isContent: true, isEnd: type.endsWith('.completed') } : undefined
  },

  readMessage(data, event) {
    const type = textAt(data, 'type') ?? event ?? ''
    return readingOf({
      ...read(data),
      text: type === 'transcript.text.delta' ? textAt(data, 'delta') : undefined,
      error: errorIn(data) ?? (type === 'error' ? textAt(data, 'message') : undefined),
      isLast: LAST.has(type),
    })
  },

  readAnswer(answer) {
    return readingOf({ ...read(answer), error: errorIn(answer) })
  },

  textsIn(data, event) {
    const type = textAt(data, 'type') ?? event ?? ''
    const isWhole = type === ''
    return [
      ...(type === 'transcript.text.delta' ? placesAt(data, 'text', ['delta']) : []),
      ...placesAt(data, isWhole ? 'text' : 'repeated', ['text']),
      ...placesAt(data, 'repeated', ['segments', EACH, 'text'], ['words', EACH, 'word']),
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
