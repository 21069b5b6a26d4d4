import { parsedJson } from '../json.js'
import { readSse } from '../sse-message.js'
import { dataEvent } from './failures.js'
import { allText, argumentsText, listAt, textAt, valueAt } from './fields.js'
import type { Format } from './format.js'
import { readingOf } from './reading.js'
import { usageReader } from './usage.js'

/** https://docs.cohere.com/reference/chat#response.body.usage: what is billed is less, and counts where no other is told. */
const readUsage = usageReader({
  inputTokens: ['tokens.input_tokens', 'billed_units.input_tokens'],
  outputTokens: ['tokens.output_tokens', 'billed_units.output_tokens'],
  cachedInputTokens: ['cached_tokens'],
})

const LAST = 'message-end'

/**
 * Cohere's chat, version 2: https://docs.cohere.com/v2/docs/streaming
 *
 * Errors: https://docs.cohere.com/reference/errors. Within a stream its SDK throws on any event without a `type`; on the
 * documented `error` of a `message-end` it does not.
 */
export const cohere: Format = {
  name: 'cohere',
  errorBody: ({ code, message }) => ({ message, code }),
  isErrorBody: (body) => typeof valueAt(body, 'message') === 'string',
  errorEvent: dataEvent,

  isTerminator(frame) {
    const event = frame.includes(LAST) ? readSse(frame) : undefined
    if (event === undefined) return false
    return (event.event ?? valueAt(parsedJson(event.data), 'type')) === LAST
  },

  usageMarker: '"output_tokens"',

  readMessage(data, event) {
    return readingOf({
      responseId: textAt(data, 'id'),
      finishReason: textAt(data, 'delta', 'finish_reason'),
      usage: readUsage(valueAt(data, 'delta', 'usage')),
      text: writtenIn(valueAt(data, 'delta', 'message')),
      error: textAt(data, 'delta', 'error') ?? textAt(data, 'message'),
      isLast: (textAt(data, 'type') ?? event) === LAST,
    })
  },

  readAnswer(answer) {
    return readingOf({
      responseId: textAt(answer, 'id'),
      finishReason: textAt(answer, 'finish_reason'),
      usage: readUsage(answer.usage),
      text: writtenIn(answer.message),
      error: textAt(answer, 'message'),
    })
  },

  maxOutputTokensPath: () => ['max_tokens'],
}

/** What the model wrote in a message, where contents and calls are lists, or in a delta of one, where each is one. */
function writtenIn(message: unknown): string {
  return [
    textAt(message, 'tool_plan'),
    allText(oneOrMore(message, 'content'), (part) => textAt(part, 'thinking') ?? textAt(part, 'text')),
    allText(oneOrMore(message, 'tool_calls'), (call) => argumentsText(valueAt(call, 'function', 'arguments'))),
  ].join('')
}

function oneOrMore(message: unknown, field: string): readonly unknown[] {
  const list = listAt(message, field)
  return list.length > 0 ? list : [valueAt(message, field)]
}
