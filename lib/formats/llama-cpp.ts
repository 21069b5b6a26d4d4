import { readSse } from '../framing/sse-message.js'
import { tryParseJson } from '../json/json.js'
import { builtIn } from './built-in.js'
import { errorIn } from './error-field.js'
import { reasonAt, textAt, valueAt } from './fields.js'
import type { JsonObject } from './format.js'
import { tokensOfLogprobs } from './log-probabilities.js'
import type { Counting } from './message.js'
import { openai } from './openai.js'
import { parsedMessage } from './parsed-message.js'
import { EACH, placesAt } from './text-places.js'
import { usageReader } from './usage.js'

/** `tokens_cached` is what the cache holds after the answer, not what it has saved. */
const counting: Counting = { cache: 'inside', reasoning: 'inside' }
const readUsage = usageReader(
  {
    inputTokens: ['tokens_evaluated'],
    outputTokens: ['tokens_predicted'],
    cachedInputTokens: ['timings.cache_n'],
  },
  counting,
)

/** Why a text ended, as servers of before 2025 say it. */
const STOPS = { stopped_eos: 'eos', stopped_word: 'word', stopped_limit: 'limit' } as const

/**
 * llama.cpp's own protocol: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
 *
 * Each event has a piece of the text, and how many tokens there are by now; the last one has `"stop":true`. An answer that
 * is not a stream is like the last event, with all of the text. Errors are OpenAI's.
 */
export const llamaCpp = builtIn({
  ...openai,
  name: 'llama-cpp',
  // Alibaba's apps have a protocol of their own: https://www.alibabacloud.com/help/en/model-studio/call-application-through-api
  paths: [/(?<!\/apps\/[^/]+)\/completion$/, /\/infill$/],
  endpoints: ['POST completion', 'POST infill'],
  operation: () => 'text_completion',
  // In every version, only the last message has it.
  usageMarker: '"tokens_cached"',
  counting,
  modelFields: [['model']],
  answerFields: [
    ...['content', 'model', 'stop', 'stop_type', 'tokens_evaluated', 'tokens_predicted', 'timings', 'error'],
    ...Object.keys(STOPS),
  ],
  isTerminator: (event) => event.includes(STOP) && valueAt(tryParseJson(readSse(event)?.data ?? ''), 'stop') === true,
  progressIn: (data) => ('content' in data && 'stop' in data ? {} : undefined),
  readMessage: read,
  readAnswer: read,
  textsIn: (data) => [
    ...placesAt(data, 'text', ['content']),
    ...tokensOfLogprobs(data, ['completion_probabilities']),
    ...placesAt(
      data,
      'repeated',
      ['completion_probabilities', EACH, 'content'],
      ['completion_probabilities', EACH, 'probs', EACH, 'tok_str'],
    ),
  ],
  maxOutputTokensPath: () => ['n_predict'],
})

const STOP = Buffer.from('"stop"')

function read(data: JsonObject) {
  const isLast = data.stop === true
  return parsedMessage({
    model: textAt(data, 'model'),
    finishReason: isLast ? stopOf(data) : undefined,
    // Pieces count what there is by now.
    usage: isLast ? readUsage(data) : undefined,
    text: textAt(data, 'content'),
    error: errorIn(data),
    isLast,
  })
}

function stopOf(data: JsonObject): string | undefined {
  const [, old] = Object.entries(STOPS).find(([field]) => data[field] === true) ?? []
  return reasonAt(data, 'stop_type') ?? old
}
