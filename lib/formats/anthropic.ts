import { parsedJson } from '../json.js'
import { readSse } from '../sse-message.js'
import { errorIn } from './failures.js'
import { allText, argumentsText, listAt, textAt, valueAt } from './fields.js'
import type { Format, Reading } from './format.js'
import { readingOf } from './reading.js'
import { usageReader } from './usage.js'

// `event: message_stop` and `data: {"type":"message_stop"}` have some 50 bytes; proxies between add a field or two.
const LONGEST_STOP = 512

/**
 * https://docs.anthropic.com/en/api/messages#response-usage: `input_tokens` is what was neither read from the cache nor
 * written to it, and no total is told. The figures of a `message_delta` are totals so far
 * (https://docs.anthropic.com/en/docs/build-with-claude/streaming).
 */
const readUsage = usageReader({
  inputTokens: ['input_tokens'],
  outputTokens: ['output_tokens'],
  cachedInputTokens: ['cache_read_input_tokens'],
  cacheWriteTokens: ['cache_creation_input_tokens'],
  reasoningTokens: ['output_tokens_details.thinking_tokens'],
})

/**
 * Anthropic's messages protocol: https://docs.anthropic.com/en/docs/build-with-claude/streaming
 *
 * What `/messages/count_tokens` answers (`{"input_tokens":…}`, without `usage`) is not read as usage: nothing was
 * generated, and nothing is charged for. Errors: https://docs.anthropic.com/en/api/errors
 */
export const anthropic: Format = {
  name: 'anthropic',

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
    if (event.length > LONGEST_STOP || !event.includes('message_stop')) return false
    const message = readSse(event)
    // Proxies between drop the name now and then; the data says it again.
    return (message?.event ?? textAt(parsedJson(message?.data ?? ''), 'type')) === 'message_stop'
  },

  // `message_delta` need not have other figures.
  usageMarker: '"output_tokens"',

  readMessage(data, event) {
    const type = textAt(data, 'type') ?? event
    return readingOf({
      ...readBody(valueAt(data, 'message')),
      usage: readUsage(valueAt(data, 'message', 'usage')) ?? readUsage(data.usage),
      finishReason: textAt(data, 'delta', 'stop_reason'),
      text: blockText(valueAt(data, 'delta')) || blockText(valueAt(data, 'content_block')),
      error: errorIn(data),
      isLast: type === 'message_stop',
    })
  },

  readAnswer(answer) {
    return readingOf({
      ...readBody(answer),
      usage: readUsage(answer.usage),
      text: allText(
        listAt(answer, 'content'),
        (block) => blockText(block) + (argumentsText(valueAt(block, 'input')) ?? ''),
      ),
      error: errorIn(answer),
    })
  },

  maxOutputTokensPath: () => ['max_tokens'],
}

function readBody(message: unknown): Reading {
  return {
    model: textAt(message, 'model'),
    responseId: textAt(message, 'id'),
    finishReason: textAt(message, 'stop_reason'),
  }
}

/**
 * What the model wrote in a block or in a delta of one. A `signature_delta` is no text, and neither is the `input` that a
 * block begins with: `{}` stands there for the `input_json_delta`s that follow.
 */
function blockText(block: unknown): string {
  return ['text', 'thinking', 'partial_json'].map((field) => textAt(block, field)).join('')
}

/** Anthropic's error types by the status that it sends with them. */
function errorType(status: number): string {
  if (status === 404) return 'not_found_error'
  if (status === 413) return 'request_too_large'
  if (status === 503) return 'overloaded_error'
  if (status === 504) return 'timeout_error'
  return status < 500 ? 'invalid_request_error' : 'api_error'
}
