import { builtIn } from './built-in.js'
import { errorIn } from './error-field.js'
import { listAt, reasonAt, textAt, valueAt } from './fields.js'
import type { JsonObject, TextPlace } from './format.js'
import type { Counting, ParsedMessage } from './message.js'
import { openai } from './openai.js'
import { parsedMessage } from './parsed-message.js'
import { EACH, placesAt, placesBelow } from './text-places.js'
import { usageReader } from './usage.js'

const counting: Counting = { cache: 'inside', reasoning: 'inside' }
const readUsage = usageReader({ inputTokens: ['input_length'], outputTokens: ['generated_tokens'] }, counting)

/**
 * Hugging Face's Text Generation Inference: https://huggingface.github.io/text-generation-inference/
 *
 * Each event has one token; the last one also has the whole text and the details. A plain answer has details only if
 * the request asks for them, with the input tokens as a list. Errors are `{"error":"…","error_type":"…"}`.
 */
export const tgi = builtIn({
  ...openai,
  name: 'tgi',
  paths: [/\/generate_stream$/],
  endpoints: ['POST generate_stream'],
  streamPaths: [/_stream$/],
  operation: () => 'text_completion',
  errorBody: ({ code, message }) => ({ error: message, error_type: code }),
  usageMarker: '"generated_tokens"',
  counting,
  answerFields: ['generated_text', 'details', 'error'],

  progressIn: (data) => ('token' in data || 'generated_text' in data ? {} : undefined),

  readMessage(data) {
    const isSpecial = valueAt(data, 'token', 'special') === true
    return parsedMessage({
      ...readDetails(data.details),
      text: isSpecial ? undefined : textAt(data, 'token', 'text'),
      error: errorIn(data),
      isLast: typeof data.generated_text === 'string',
    })
  },

  readAnswer(answer: JsonObject) {
    return parsedMessage({
      ...readDetails(answer.details),
      text: textAt(answer, 'generated_text'),
      error: errorIn(answer),
    })
  },

  textsIn(data) {
    const isSpecial = valueAt(data, 'token', 'special') === true
    return [
      ...(isSpecial ? [] : placesAt(data, 'text', ['token', 'text'])),
      // The last event repeats all of the text.
      ...placesAt(data, 'token' in data ? 'repeated' : 'text', ['generated_text']),
      ...tokensOf(data),
      ...placesBelow(['details'], tokensOf(data.details)),
      ...listAt(data, 'details', 'best_of_sequences').flatMap((sequence, index) =>
        placesBelow(
          ['details', 'best_of_sequences', index],
          [...placesAt(sequence, 'repeated', ['generated_text']), ...tokensOf(sequence)],
        ),
      ),
    ]
  },

  maxOutputTokensPath: () => ['parameters', 'max_new_tokens'],
})

/** Finds the tokens of a text, and those that the model could have written instead. Special ones are not text. */
function tokensOf(holder: unknown): TextPlace[] {
  return placesAt(
    holder,
    'repeated',
    ['tokens', EACH, 'text'],
    ['top_tokens', EACH, 'text'],
    ['top_tokens', EACH, EACH, 'text'],
  ).filter(({ path }) => valueAt(holder, ...path.slice(0, -1), 'special') !== true)
}

function readDetails(details: unknown): ParsedMessage {
  const reported = readUsage(details)
  const prefill = listAt(details, 'prefill').length
  return {
    finishReason: reasonAt(details, 'finish_reason'),
    usage:
      reported && prefill > 0 && reported.inputTokens === undefined ? { ...reported, inputTokens: prefill } : reported,
  }
}
