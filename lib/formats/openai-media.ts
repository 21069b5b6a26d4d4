import { errorIn } from './failures.js'
import { textAt, valueAt } from './fields.js'
import type { Format, JsonObject, Reading } from './format.js'
import { openai } from './openai.js'
import { openAiCounting, readOpenAiUsage, tokensMarker } from './openai-choices.js'
import { readingOf } from './reading.js'

/** Events that end a stream. Of pictures several may be asked for, and each has an end of its own. */
const LAST = new Set(['transcript.text.done', 'speech.audio.done'])

/**
 * OpenAI's pictures, speech and transcriptions: https://platform.openai.com/docs/api-reference/images-streaming,
 * https://platform.openai.com/docs/api-reference/audio. Models that are billed by the picture or the second tell no tokens.
 */
export const openaiMedia: Format = {
  ...openai,
  name: 'openai-media',
  usageMarker: tokensMarker,
  counting: openAiCounting,
  answerFields: ['id', 'model', 'usage', 'error'],

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

  maxOutputTokensPath: () => [],
}

function read(data: JsonObject): Reading {
  return {
    model: textAt(data, 'model'),
    responseId: textAt(data, 'id'),
    usage: readOpenAiUsage(valueAt(data, 'usage')),
  }
}
