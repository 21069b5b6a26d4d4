import { writeSse } from '../framing/sse-message.js'
import { builtIn } from './built-in.js'
import { errorIn } from './error-field.js'
import { errorText } from './error-text.js'
import { allText, argumentsText, listAt, textAt, valueAt } from './fields.js'
import type { JsonObject, TextPlace } from './format.js'
import { tokensOfLogprobs } from './log-probabilities.js'
import type { ParsedMessage, Usage, WholeItem } from './message.js'
import { endsResponse, LAST_OF_RESPONSES, openai } from './openai.js'
import { generatingAt, openAiCounting } from './openai-choices.js'
import { parsedMessage } from './parsed-message.js'
import { EACH, placesAt, placesBelow, repeated } from './text-places.js'
import { usageReader } from './usage.js'

/** https://platform.openai.com/docs/api-reference/responses/object#responses/object-usage */
const readFigures = usageReader(
  {
    // Some compatible servers have the names of chat completions.
    inputTokens: ['input_tokens', 'prompt_tokens'],
    outputTokens: ['output_tokens', 'completion_tokens'],
    totalTokens: ['total_tokens'],
    cachedInputTokens: ['input_tokens_details.cached_tokens', 'prompt_tokens_details.cached_tokens'],
    cacheWriteTokens: ['input_tokens_details.cache_write_tokens'],
    reasoningTokens: ['output_tokens_details.reasoning_tokens', 'completion_tokens_details.reasoning_tokens'],
  },
  openAiCounting,
)

/**
 * The model of a tool has its own usage field:
 * https://platform.openai.com/docs/guides/image-generation#cost-and-latency
 */
const readToolUsage = usageReader(
  {
    toolInputTokens: ['image_gen.input_tokens'],
    toolOutputTokens: ['image_gen.output_tokens'],
  },
  openAiCounting,
)

const FAILED = 'response.failed'
const LAST = new Set(LAST_OF_RESPONSES)

/** Statuses of an answer that has not ended. */
const UNFINISHED = new Set(['in_progress', 'queued'])

/**
 * OpenAI's responses: https://platform.openai.com/docs/api-reference/responses-streaming
 *
 * Events that start a response (`response.created`) repeat the whole request, and those that end something (`….done`,
 * `response.completed`) repeat everything written so far: only the `….delta` events have new text.
 */
export const openaiResponses = builtIn({
  ...openai,
  name: 'openai-responses',
  provider: 'openai',
  paths: [/\/responses(?:\/[^/]+){0,2}$/],
  endpoints: [
    ...generatingAt('responses'),
    'POST **/serving-endpoints/responses',
    'POST **/responses/input_tokens',
    'POST **/responses/compact',
    'POST **/responses/*/cancel',
    'GET **/responses/*',
    'GET **/responses/*/input_items',
    'DELETE **/responses/*',
  ],
  // https://platform.openai.com/docs/guides/conversation-state
  continuationField: 'previous_response_id',
  answerPaths: [/\/responses\/(?!(?:compact|input_tokens)(?:\/|$))([^/]+)(?:\/(?:cancel|input_items))?\/?$/],
  // An answer repeats `user`, `metadata` and the like: one with another's must not go to this client.
  fieldsWithoutEffect: ['stream_options'],
  silentPaths: [/\/(?:input_tokens|compact|cancel)$/],
  modelFreeRequests: [
    { method: 'POST', path: /\/responses\/[^/]+\/cancel$/ },
    { method: 'DELETE', path: /\/responses\/[^/]+$/ },
  ],
  // A stream begins with a copy of the request, which may contain `max_output_tokens`: the opening quote tells the two
  // apart.
  usageMarker: '"output_tokens"',
  isTerminator: endsResponse,
  counting: openAiCounting,
  modelFields: [['model'], ['response', 'model']],
  answerFields: ['id', 'model', 'status', 'incomplete_details', 'usage', 'tool_usage', 'error', 'output'],

  /**
   * Clients that read typed events (Codex) skip an event without a `type`, and take the stream for one that broke off;
   * OpenAI's SDKs throw on the `error`.
   */
  errorEvent(body, { responseId, model, nextSequenceNumber } = { responseId: '', nextSequenceNumber: 0 }) {
    const { error } = body as { error: unknown }
    const code = textAt(error, 'code') ?? textAt(error, 'type') ?? 'server_error'
    const response = {
      id: responseId,
      object: 'response',
      status: 'failed',
      error: { code, message: errorText(error) },
      incomplete_details: null,
      model,
      output: [],
    }
    const data = { error, type: FAILED, sequence_number: nextSequenceNumber, response }
    return writeSse({ event: FAILED, data: JSON.stringify(data) })
  },

  progressIn(data, event) {
    const type = textAt(data, 'type') ?? event ?? ''
    if (!type.startsWith('response.')) return undefined
    return {
      isContent: type.endsWith('audio.delta') || type.endsWith('.partial_image') || isSealed(data, type),
      sequenceNumber: countAt(data, 'sequence_number'),
    }
  },

  readMessage(data, event) {
    const type = textAt(data, 'type') ?? event ?? ''
    return parsedMessage({
      ...readResponse(valueAt(data, 'response')),
      text: isTextDelta(type) ? textAt(data, 'delta') : undefined,
      whole: wholeOf(data, type),
      callsTool: isCall(data.item),
      isLast: LAST.has(type),
      ...failureOf(data, type),
    })
  },

  readAnswer(answer) {
    return parsedMessage({ ...readResponse(answer), text: allText(listAt(answer, 'output'), itemText) })
  },

  textsIn(data, event) {
    const type = textAt(data, 'type') ?? event ?? ''
    if (type === '') return textsOfOutput(data)
    if (type.endsWith('.delta')) return [...textsOfDelta(data, type), ...tokensOfLogprobs(data, ['logprobs'])]
    return repeated([
      ...placesAt(data, 'text', ['text'], ['refusal'], ['transcript'], ['part', 'text'], ['part', 'refusal']),
      ...placesBelow(['item'], textsOfItem(data.item)),
      ...placesBelow(['response'], textsOfOutput(data.response)),
      ...tokensOfLogprobs(data, ['logprobs'], ['part', 'logprobs']),
    ])
  },

  maxOutputTokensPath: () => ['max_output_tokens'],
})

/** Finds the texts of a delta. Arguments, code and audio are not text. */
function textsOfDelta(data: JsonObject, type: string): TextPlace[] {
  if (/\.reasoning\w*\.delta$/.test(type)) return placesAt(data, 'reasoning', ['delta'])
  return /\.(?:output_text|refusal|\w*transcript)\.delta$/.test(type) ? placesAt(data, 'text', ['delta']) : []
}

function textsOfOutput(response: unknown): TextPlace[] {
  return listAt(response, 'output').flatMap((item, index) => placesBelow(['output', index], textsOfItem(item)))
}

function textsOfItem(item: unknown): TextPlace[] {
  const kind = textAt(item, 'type') === 'reasoning' ? 'reasoning' : 'text'
  const said = placesAt(item, kind, ['content', EACH, 'text'], ['content', EACH, 'refusal'])
  const summary = placesAt(item, 'reasoning', ['summary', EACH, 'text'])
  return [
    ...(said.length > 0 ? repeated(summary) : summary),
    ...said,
    // The model's own wording of what the user wants to see in a picture.
    ...placesAt(item, 'repeated', ['revised_prompt']),
    ...tokensOfLogprobs(item, ['content', EACH, 'logprobs']),
  ]
}

/**
 * Returns whether a type is that of a delta with text: answer, refusal, reasoning, arguments, code or transcript.
 * Deltas of audio are base64.
 */
function isTextDelta(type: string): boolean {
  return type.endsWith('.delta') && !type.endsWith('audio.delta')
}

/** Returns whether a message ends reasoning that only the provider can read. At its beginning, nothing has been generated. */
function isSealed({ item }: JsonObject, type: string): boolean {
  return type === 'response.output_item.done' && Boolean(textAt(item, 'encrypted_content'))
}

/** `function_call`, `web_search_call`, `mcp_approval_request`, …; types of tool results end differently. */
function isCall(item: unknown): boolean {
  return /_(?:call|request)$/.test(textAt(item, 'type') ?? '')
}

/**
 * Returns the whole text of an item at its end. Some servers send the arguments of calls only there, without deltas,
 * and some only when the item is done.
 */
function wholeOf(data: JsonObject, type: string): WholeItem | undefined {
  if (!type.endsWith('.done')) return undefined
  const { item } = data
  const text = itemText(item) || (argumentsOf(data) ?? textAt(data, 'text') ?? textAt(data, 'refusal'))
  if (!text) return undefined
  const { output_index: place } = data
  return { id: textAt(item, 'id') ?? textAt(data, 'item_id') ?? (typeof place === 'number' ? `${place}` : ''), text }
}

/** Returns the content of a call: its arguments, free text, or code. */
function argumentsOf(item: unknown): string | undefined {
  return (
    argumentsText(valueAt(item, 'arguments')) ?? textAt(item, 'input') ?? textAt(item, 'code') ?? textAt(item, 'diff')
  )
}

function countAt(data: JsonObject, field: string): number | undefined {
  const value = data[field]
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
}

function readResponse(response: unknown): ParsedMessage {
  const status = textAt(response, 'status')
  const isPending = status !== undefined && UNFINISHED.has(status)
  return {
    model: textAt(response, 'model'),
    responseId: textAt(response, 'id'),
    finishReason: textAt(response, 'incomplete_details', 'reason') ?? (isPending ? undefined : status),
    isPending,
    usage: readUsage(response),
    error: errorIn(response),
  }
}

function readUsage(response: unknown): Usage | undefined {
  const usage = readFigures(valueAt(response, 'usage'))
  const ofTools = readToolUsage(valueAt(response, 'tool_usage'))
  // Most answers have zeros here, for a tool that was not used.
  return ofTools?.toolInputTokens || ofTools?.toolOutputTokens ? { ...usage, ...ofTools } : usage
}

/** https://platform.openai.com/docs/api-reference/responses-streaming/error, or the usual form of errors. */
function failureOf(data: JsonObject, type: string): Pick<ParsedMessage, 'error'> {
  const error = errorIn(data) ?? (type === 'error' ? errorText(data) : undefined)
  return error === undefined ? {} : { error }
}

/** Returns what the model wrote in an item of the output: a message, reasoning, or the input of a tool call. */
function itemText(item: unknown): string {
  // If reasoning is given in full, its summary would repeat it.
  const content = listAt(item, 'content')
  return [
    allText(
      content.length > 0 ? content : listAt(item, 'summary'),
      (part) => textAt(part, 'text') ?? textAt(part, 'refusal'),
    ),
    argumentsOf(item) ??
      (isCall(item) ? argumentsText(valueAt(item, 'action') ?? valueAt(item, 'operation')) : undefined),
  ].join('')
}
