import { ndjson } from '../framing/index.js'
import { tryParseJson } from '../json/json.js'
import { type BuiltInFormat, builtIn } from './built-in.js'
import { dataEvent } from './data-event.js'
import { errorIn, hasError } from './error-field.js'
import { allText, argumentsText, listAt, reasonAt, textAt, valueAt } from './fields.js'
import type { JsonObject } from './format.js'
import { tokensOfLogprobs } from './log-probabilities.js'
import type { Counting } from './message.js'
import { parsedMessage } from './parsed-message.js'
import { placesAt } from './text-places.js'
import { usageReader } from './usage.js'

/** https://github.com/ollama/ollama/blob/main/docs/api.md#response: only the last line has usage. */
const counting: Counting = { cache: 'inside', reasoning: 'inside' }
const readUsage = usageReader({ inputTokens: ['prompt_eval_count'], outputTokens: ['eval_count'] }, counting)

const CHAT = {
  name: 'ollama-chat',
  paths: [/\/api\/chat$/, /\/api\/embed$/],
  prefixes: ['api'],
  endpoints: [
    ...['POST **/api/chat', 'POST **/api/embed', 'POST **/api/embeddings', 'POST **/api/show'],
    ...['GET **/api/tags', 'GET **/api/ps', 'GET **/api/version', 'GET /'],
  ],
  silentPaths: [/\/(?:embed|show)$/],
} as const

const GENERATE = {
  name: 'ollama-generate',
  paths: [/\/api\/generate$/],
  endpoints: ['POST **/api/generate'],
  operation: () => 'text_completion',
} as const

/** Ollama's chat: https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion */
export const ollamaChat = ollama(CHAT, (line) => {
  const message = line.message
  return [
    textAt(message, 'thinking'),
    textAt(message, 'content'),
    allText(listAt(message, 'tool_calls'), (call) => argumentsText(valueAt(call, 'function', 'arguments'))),
  ].join('')
})

/** Ollama's generate: https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-completion */
export const ollamaGenerate = ollama(GENERATE, (line) => [textAt(line, 'thinking'), textAt(line, 'response')].join(''))

/**
 * Creates a format for one of Ollama's protocols: lines of JSON, the last with `"done":true`. An answer that is not a
 * stream is one such line.
 *
 * Errors are `{"error":"…"}`, as a body and as a line: https://github.com/ollama/ollama/blob/main/docs/api.md
 */
function ollama(spoken: typeof CHAT | typeof GENERATE, textOf: (line: JsonObject) => string): BuiltInFormat {
  const read = (line: JsonObject) =>
    parsedMessage({
      model: textAt(line, 'model'),
      finishReason: reasonAt(line, 'done_reason'),
      usage: readUsage(line),
      text: textOf(line),
      error: errorIn(line),
      isLast: line.done === true,
    })
  return builtIn({
    ...spoken,
    provider: 'ollama',
    framings: [ndjson],
    streamsByDefault: spoken.paths.slice(0, 1),
    textsIn: (line) => [
      ...placesAt(line, 'reasoning', ['message', 'thinking'], ['thinking']),
      ...placesAt(line, 'text', ['message', 'content'], ['response']),
      ...tokensOfLogprobs(line, ['logprobs']),
    ],
    errorBody: ({ code, message }) => ({ error: message, code }),
    isErrorBody: hasError,
    errorEvent: dataEvent,
    progressIn: (line) => ('done' in line ? {} : undefined),
    isTerminator: (frame) => mayBeDone(frame) && valueAt(tryParseJson(frame.toString()), 'done') === true,
    // Ollama leaves out `prompt_eval_count` or `eval_count` if it is 0. Both end in this marker.
    usageMarker: 'eval_count"',
    counting,
    modelFields: [['model']],
    answerFields: [
      'model',
      'done',
      'done_reason',
      'prompt_eval_count',
      'eval_count',
      'message',
      'response',
      'thinking',
      'error',
    ],
    readMessage: read,
    readAnswer: read,
    maxOutputTokensPath: () => ['options', 'num_predict'],
    otherLimitPaths: [['num_predict']],
  })
}

const DONE = Buffer.from('"done"')
const SPACE = 0x20
const COLON = 0x3a
const T = 0x74

/** Returns whether any `"done"` in a line is `true`, at the top level or deeper. Every line has a `"done"`. */
function mayBeDone(line: Buffer): boolean {
  for (let at = line.indexOf(DONE); at !== -1; at = line.indexOf(DONE, at)) {
    at += DONE.length
    while (line[at] === COLON || line[at]! <= SPACE) at++
    if (line[at] === T) return true
  }
  return false
}
