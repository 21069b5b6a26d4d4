import { ndjson, sse } from '../framing/index.js'
import { readSse } from '../framing/sse-message.js'
import { isObject, tryParseJson } from '../json/json.js'
import { builtIn } from './built-in.js'
import { dataEvent } from './data-event.js'
import { allText, argumentsText, listAt, reasonAt, textAt, valueAt } from './fields.js'
import type { JsonObject, TextPlace } from './format.js'
import type { Counting, ParsedMessage } from './message.js'
import { parsedMessage } from './parsed-message.js'
import { EACH, placesAt } from './text-places.js'
import { usageReader } from './usage.js'

const counting: Counting = { cache: 'inside', reasoning: 'inside' }

/**
 * https://docs.cohere.com/reference/chat#response.body.usage: billed units are fewer than tokens, and are used only if
 * no others are reported. Servers that rerank as Cohere does (vLLM, Jina) report usage as OpenAI does.
 */
const readUsage = usageReader(
  {
    inputTokens: ['tokens.input_tokens', 'billed_units.input_tokens', 'prompt_tokens'],
    outputTokens: ['tokens.output_tokens', 'billed_units.output_tokens'],
    totalTokens: ['total_tokens'],
    cachedInputTokens: ['cached_tokens'],
  },
  counting,
)

/** Types of the events of version 2, and of the lines of version 1. */
const MESSAGE =
  /^(?:(?:message|content|citation|stream|tool-call)-(?:start|delta|end)|tool-plan-delta|search-results|[a-z-]+-(?:generation|chunk))$/

/** The last event of version 2, and the last line of version 1. */
const LAST = new Set(['message-end', 'stream-end'])

/**
 * Cohere's chat, version 2: https://docs.cohere.com/v2/docs/streaming; also version 1, whose streams are lines of JSON
 * (https://docs.cohere.com/v1/docs/streaming), and `embed` and `rerank`, which report usage in `meta`, as version 1
 * does.
 *
 * Errors: https://docs.cohere.com/reference/errors. Within a stream, Cohere's SDK throws on any event without a `type`,
 * but not on the documented `error` of a `message-end`.
 */
export const cohere = builtIn({
  name: 'cohere',
  provider: 'cohere',
  paths: [/\/v[12]\/(?:chat|embed|rerank)$/],
  endpoints: [
    'POST **/v1/chat',
    'POST **/v2/chat',
    'POST embed',
    'POST rerank',
    'POST **/v1/rerank',
    'POST **/v2/rerank',
  ],
  silentPaths: [/\/(?:embed|rerank)$/],
  requestIdHeaders: ['x-debug-trace-id'],
  responseHeaders: [/^cohere-/, /^x-cohere-/, /^num_(?:chars|tokens)$/, /^x-api-warning$/],
  framings: [sse, ndjson],
  // Version 1 streams lines of JSON.
  streamsSse: (url) => !/\/v1\/chat(?:\?|$)/.test(url),
  errorBody: ({ code, message }) => ({ message, code }),
  isErrorBody: (body) => typeof valueAt(body, 'message') === 'string',
  errorEvent: dataEvent,

  isTerminator(frame) {
    if (!frame.includes('-end')) return false
    // The lines of version 1 are not events.
    const event = readSse(frame)
    const data = tryParseJson(event?.data ?? frame.toString())
    return LAST.has(event?.event ?? typeOf(data) ?? '')
  },

  progressIn: (data, event) => (MESSAGE.test(typeOf(data) ?? event ?? '') ? {} : undefined),

  usageMarker: '_tokens"',
  counting,
  answerFields: [
    ...['id', 'finish_reason', 'usage', 'message'],
    ...['response_id', 'generation_id', 'meta', 'text', 'tool_calls'],
  ],

  readMessage(data, event) {
    const isLast = LAST.has(typeOf(data) ?? event ?? '')
    if (data.event_type !== undefined) return parsedMessage({ ...readEventV1(data), isLast })
    const message = valueAt(data, 'delta', 'message')
    return parsedMessage({
      responseId: textAt(data, 'id'),
      finishReason: reasonAt(data, 'delta', 'finish_reason'),
      usage: readUsage(valueAt(data, 'delta', 'usage')),
      text: generatedText(message),
      callsTool: callsTool(message),
      error: textAt(data, 'delta', 'error') ?? errorOf(data),
      isLast,
    })
  },

  readAnswer(answer) {
    return parsedMessage({
      responseId: textAt(answer, 'id') ?? textAt(answer, 'response_id') ?? textAt(answer, 'generation_id'),
      finishReason: reasonAt(answer, 'finish_reason'),
      usage: readUsage(answer.usage) ?? readUsage(valueAt(answer, 'meta')),
      text: generatedText(answer.message) || generatedTextV1(answer),
      error: errorOf(answer),
    })
  },

  textsIn(data) {
    const type = textAt(data, 'event_type')
    const isNew = type === undefined || type === 'text-generation'
    const newest = isNew ? 'text' : 'repeated'
    return [
      ...['message', 'delta'].flatMap((field) =>
        textsOfMessage(data, field === 'delta' ? ['delta', 'message'] : [field]),
      ),
      ...placesAt(data, newest, ['text'], ['generations', EACH, 'text']),
      ...cohereRepetitions(data),
    ]
  },

  maxOutputTokensPath: () => ['max_tokens'],
})

/** Finds what a message repeats of its text: citations, tokens, and version 1's conversation and end of a stream. */
export function cohereRepetitions(data: JsonObject): TextPlace[] {
  return [[], ['response']].flatMap((below) => [
    ...placesAt(data, 'repeated', [...below, 'citations', EACH, 'text'], [...below, 'logprobs', EACH, 'text']),
    ...placesAt(data, 'repeated', [...below, 'generations', EACH, 'token_likelihoods', EACH, 'token']),
    ...placesAt(data, 'repeated', [...below, 'chat_history', EACH, 'message']).filter(
      ({ path }) => textAt(data, ...path.slice(0, -1), 'role') === 'CHATBOT',
    ),
    ...(below.length > 0
      ? placesAt(data, 'repeated', [...below, 'text'], [...below, 'generations', EACH, 'text'])
      : []),
  ])
}

/** Finds texts in a message, where `content` is a list, or in a delta of one, where it is a single item. */
function textsOfMessage(data: JsonObject, path: readonly string[]): TextPlace[] {
  return [
    ...placesAt(data, 'reasoning', [...path, 'tool_plan']),
    ...placesAt(data, 'reasoning', [...path, 'content', EACH, 'thinking'], [...path, 'content', 'thinking']),
    ...placesAt(data, 'text', [...path, 'content', EACH, 'text'], [...path, 'content', 'text']),
    ...placesAt(data, 'repeated', [...path, 'citations', EACH, 'text'], [...path, 'citations', 'text']),
  ]
}

/**
 * Returns what the model wrote in a message, where contents and calls are lists, or in a delta of one, where each is a
 * single item.
 */
function generatedText(message: unknown): string {
  return [
    textAt(message, 'tool_plan'),
    allText(oneOrMore(message, 'content'), (part) => textAt(part, 'thinking') ?? textAt(part, 'text')),
    allText(oneOrMore(message, 'tool_calls'), (call) => argumentsText(valueAt(call, 'function', 'arguments'))),
  ].join('')
}

/**
 * Returns the error of a body that has a `message` and nothing of an answer. Answers of version 1 may repeat the
 * `message` of the request.
 */
function errorOf(data: JsonObject): string | undefined {
  return ANSWER_FIELDS.some((field) => field in data) ? undefined : textAt(data, 'message')
}

const ANSWER_FIELDS = ['response_id', 'generation_id', 'text', 'results', 'embeddings', 'finish_reason']

function callsTool(message: unknown): boolean {
  return oneOrMore(message, 'tool_calls').some((call) => isObject(call))
}

function typeOf(data: unknown): string | undefined {
  return textAt(data, 'type') ?? textAt(data, 'event_type')
}

/** Reads a line of version 1. The last line repeats the whole answer. */
function readEventV1(line: JsonObject): ParsedMessage {
  return {
    responseId: textAt(line, 'response', 'response_id') ?? textAt(line, 'generation_id'),
    finishReason: reasonAt(line, 'finish_reason') ?? reasonAt(line, 'response', 'finish_reason'),
    usage: readUsage(valueAt(line, 'response', 'meta')),
    text: textAt(line, 'event_type') === 'tool-calls-generation' ? toolText(line) : generatedTextV1(line),
    callsTool: callsTool(line) || valueAt(line, 'tool_call_delta') !== undefined,
  }
}

/** Returns what the model wrote in an answer of version 1 or in a line of one. */
function generatedTextV1(message: unknown): string {
  const delta = valueAt(message, 'tool_call_delta')
  return [
    textAt(message, 'text'),
    textAt(delta, 'text') ?? argumentsText(valueAt(delta, 'parameters')),
    toolText(message),
  ].join('')
}

function toolText(message: unknown): string {
  return allText(listAt(message, 'tool_calls'), (call) => argumentsText(valueAt(call, 'parameters')))
}

function oneOrMore(message: unknown, field: string): readonly unknown[] {
  const list = listAt(message, field)
  return list.length > 0 ? list : [valueAt(message, field)]
}
