import { readSse } from '../framing/sse-message.js'
import { tryParseJson } from '../json/json.js'
import { builtIn } from './built-in.js'
import { errorIn } from './error-field.js'
import { allText, argumentsText, listAt, reasonAt, textAt, valueAt } from './fields.js'
import type { TextPlace } from './format.js'
import type { Counting, ParsedMessage, Usage } from './message.js'
import { parsedMessage } from './parsed-message.js'
import { placesAt, placesBelow } from './text-places.js'
import { largerUsage, summedUsage, usageReader } from './usage.js'

// `event: message_stop` and `data: {"type":"message_stop"}` take about 50 bytes; proxies in between may add a field or
// two.
const MAX_STOP_BYTES = 512

/** Types of the events of a stream, and of a whole answer. */
export const MESSAGE = /^(?:message|message_\w+|content_block_\w+|ping|error)$/

/**
 * https://docs.anthropic.com/en/api/messages#response-usage: `input_tokens` excludes what was read from the cache or
 * written to it, and there is no total. The figures of a `message_delta` are totals so far
 * (https://docs.anthropic.com/en/docs/build-with-claude/streaming).
 */
const counting: Counting = { cache: 'outside', reasoning: 'inside' }
const readFigures = usageReader(
  {
    inputTokens: ['input_tokens'],
    outputTokens: ['output_tokens'],
    cachedInputTokens: ['cache_read_input_tokens'],
    cacheWriteTokens: [
      'cache_creation_input_tokens',
      // By how long it is kept: some proxies send nothing else.
      'cache_creation.ephemeral_5m_input_tokens + cache_creation.ephemeral_1h_input_tokens',
    ],
    reasoningTokens: ['output_tokens_details.thinking_tokens'],
  },
  counting,
)

/** Iterations that called a model which the request did not name and which has its own price. */
const OTHER_MODELS = new Set(['advisor_message'])

/**
 * Reads usage, and what is billed. If an answer took several calls of models, `iterations` lists them. Calls that
 * compacted the context, and calls of a model that refused before another one took over, are billed but are in no other
 * figure; neither are those of an advisor (https://docs.anthropic.com/en/docs/build-with-claude/compaction#usage).
 */
function readUsage(reported: unknown): Pick<ParsedMessage, 'usage' | 'billed'> {
  const usage = readFigures(reported)
  if (usage === undefined) return {}
  const iterations = listAt(reported, 'iterations')
  const isOther = (iteration: unknown) => OTHER_MODELS.has(textAt(iteration, 'type') ?? '')
  const others = sumOf(iterations.filter(isOther))
  const own = sumOf(iterations.filter((iteration) => !isOther(iteration)))
  const billed = own && largerUsage(own, usage)
  return {
    usage: {
      ...usage,
      ...(others?.inputTokens !== undefined && { toolInputTokens: others.inputTokens }),
      ...(others?.outputTokens !== undefined && { toolOutputTokens: others.outputTokens }),
    },
    ...(billed && { billed }),
  }
}

function sumOf(iterations: readonly unknown[]): Usage | undefined {
  return summedUsage(iterations.map((iteration) => readFigures(iteration) ?? {}))
}

/**
 * Anthropic's messages protocol: https://docs.anthropic.com/en/docs/build-with-claude/streaming
 *
 * The answer of `/messages/count_tokens` (`{"input_tokens":…}`, without `usage`) is not read as usage: nothing was
 * generated, and nothing is charged. Errors: https://docs.anthropic.com/en/api/errors
 */
export const anthropic = builtIn({
  name: 'anthropic',
  provider: 'anthropic',
  paths: [
    // OpenAI's `/threads/ID/messages` is a different protocol.
    /(?:^|\/v\d\w*|\/anthropic)\/messages(?:\/count_tokens)?$/,
    // Vertex AI passes Anthropic's protocol through: `publishers/anthropic/models/claude-…:streamRawPredict`.
    /\/publishers\/anthropic\/models\/[^/]+$/,
  ],
  endpoints: [
    ...['POST messages', 'POST **/v1/messages', 'POST **/anthropic/messages'],
    ...['POST messages/count_tokens', 'POST **/v1/messages/count_tokens', 'POST **/anthropic/messages/count_tokens'],
  ],
  requestHeaders: ['anthropic-version', 'anthropic-beta'],
  credentialHeaders: ['x-api-key'],
  keyHeaders: ['x-api-key'],
  requestIdHeaders: ['request-id'],
  responseHeaders: [/^anthropic-/],
  // The path at which Vertex AI counts Claude's tokens has `count-tokens` in the place of the model; the body names the
  // model.
  modelFreePaths: [/\/publishers\/anthropic\/models\/count-tokens:rawPredict$/],
  fieldsWithoutEffect: ['metadata'],
  silentPaths: [/\/count_tokens$/, /\/count-tokens:rawPredict$/],

  errorBody({ code, message, status }) {
    return { type: 'error', error: { type: errorType(status), message, code } }
  },

  isErrorBody(body) {
    return valueAt(body, 'type') === 'error' && valueAt(body, 'error') !== undefined
  },

  errorEvent(body) {
    return `event: error\ndata: ${JSON.stringify(body)}\n\n`
  },

  isTerminator(event) {
    if (event.length > MAX_STOP_BYTES || !event.includes('message_stop')) return false
    const message = readSse(event)
    // Some proxies drop the event's name; the data repeats it.
    return (message?.event ?? textAt(tryParseJson(message?.data ?? ''), 'type')) === 'message_stop'
  },

  progressIn(data, event) {
    const type = textAt(data, 'type') ?? event ?? ''
    // A `message` is a whole answer, and no event of a stream. Reasoning that is not shown has a signature only, or is
    // encrypted.
    if (!MESSAGE.test(type) || type === 'message') return undefined
    return { isContent: Boolean(textAt(data, 'delta', 'signature') ?? textAt(data, 'content_block', 'data')) }
  },

  counting,
  modelFields: [['model'], ['message', 'model']],
  answerFields: ['id', 'type', 'model', 'content', 'stop_reason', 'usage', 'error'],

  // `message_delta` may lack some figures, and which ones differs.
  usageMarker: '_tokens"',

  readMessage(data, event) {
    const type = textAt(data, 'type') ?? event
    const { message } = data
    const block = valueAt(data, 'content_block')
    const start = readBody(message)
    const { usage, billed } = readUsage(valueAt(message, 'usage') ?? data.usage)
    return parsedMessage({
      ...start,
      model: fallbackModel([block]) ?? fallbackIn(data.usage) ?? start.model,
      usage,
      billed,
      // Anthropic's SDKs do the same: a figure of a `message_delta` replaces the one before, even if it is 0.
      replacesUsage: usage !== undefined && message === undefined,
      finishReason: reasonAt(data, 'delta', 'stop_reason') ?? start.finishReason,
      text: blockText(valueAt(data, 'delta')) || blockText(block) || start.text,
      callsTool: isCall(block) || listAt(message, 'content').some(isCall),
      error: errorIn(data),
      isLast: type === 'message_stop',
    })
  },

  readAnswer(answer) {
    return parsedMessage({ ...readBody(answer), ...readUsage(answer.usage), error: errorIn(answer) })
  },

  textsIn(data) {
    return [
      ...['delta', 'content_block'].flatMap((field) => placesBelow([field], textsOfBlock(data[field]))),
      ...textsOfBlocks(data.content, ['content']),
      ...textsOfBlocks(valueAt(data, 'message', 'content'), ['message', 'content']),
      // The text completions of the first models.
      ...placesAt(data, 'text', ['completion']),
    ]
  },

  maxOutputTokensPath: () => ['max_tokens'],
})

function textsOfBlocks(blocks: unknown, path: readonly string[]): TextPlace[] {
  if (!Array.isArray(blocks)) return []
  return blocks.flatMap((block, index) => placesBelow([...path, index], textsOfBlock(block)))
}

/** A summary of the context counts as reasoning, because it is not part of the answer. */
function textsOfBlock(block: unknown): TextPlace[] {
  const isSummary = textAt(block, 'type')?.startsWith('compaction') === true
  return [
    ...placesAt(block, 'reasoning', ['thinking'], ...(isSummary ? [['content']] : [])),
    ...placesAt(block, 'text', ['text']),
  ]
}

/**
 * Reads a message: a whole answer, or the beginning of a stream. If a program called the tools, that beginning is the
 * whole answer.
 */
function readBody(message: unknown): ParsedMessage {
  const content = listAt(message, 'content')
  return {
    model: fallbackModel(content) ?? textAt(message, 'model'),
    responseId: textAt(message, 'id'),
    finishReason: reasonAt(message, 'stop_reason'),
    text: allText(content, (block) => blockText(block) + (argumentsText(valueAt(block, 'input')) ?? '')),
  }
}

/** Returns the model that took over from one that refused: the last one that a block names. */
function fallbackModel(blocks: readonly unknown[]): string | undefined {
  const fallbacks = blocks.filter((block) => valueAt(block, 'type') === 'fallback')
  return textAt(fallbacks.at(-1), 'to', 'model')
}

/** Like `fallbackModel`, but from the final usage. */
function fallbackIn(usage: unknown): string | undefined {
  const last = listAt(usage, 'iterations').at(-1)
  return valueAt(last, 'type') === 'fallback_message' ? textAt(last, 'model') : undefined
}

/** `tool_use`, `server_tool_use`, `mcp_tool_use`. */
function isCall(block: unknown): boolean {
  return textAt(block, 'type')?.endsWith('tool_use') === true
}

/**
 * Returns what the model wrote in a block or in a delta of one. A summary of the context is in `content`, as the
 * results of tools are. A `signature_delta` is not text, and neither is the `input` at the start of a block: it is
 * `{}`, a placeholder for the `input_json_delta`s that follow.
 */
function blockText(block: unknown): string {
  const summary = textAt(block, 'type')?.startsWith('compaction') ? textAt(block, 'content') : undefined
  return ['text', 'thinking', 'partial_json'].map((field) => textAt(block, field)).join('') + (summary ?? '')
}

/** Returns Anthropic's error type for a status. */
function errorType(status: number): string {
  return ERROR_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
}

/** https://docs.anthropic.com/en/api/errors */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
}
