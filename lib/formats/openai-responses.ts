import { errorIn, sentenceOf } from './failures.js'
import { allText, listAt, textAt, valueAt } from './fields.js'
import type { Format, JsonObject, Reading } from './format.js'
import { openai } from './openai.js'
import { readingOf } from './reading.js'
import { usageReader } from './usage.js'

/** https://platform.openai.com/docs/api-reference/responses/object#responses/object-usage */
const readUsage = usageReader({
  inputTokens: ['input_tokens'],
  outputTokens: ['output_tokens'],
  totalTokens: ['total_tokens'],
  cachedInputTokens: ['input_tokens_details.cached_tokens'],
  cacheWriteTokens: ['input_tokens_details.cache_write_tokens'],
  reasoningTokens: ['output_tokens_details.reasoning_tokens'],
})

const LAST = new Set(['response.completed', 'response.incomplete', 'response.failed'])

/** A status that is not the end of an answer. */
const UNFINISHED = new Set(['in_progress', 'queued'])

/**
 * OpenAI's responses: https://platform.openai.com/docs/api-reference/responses-streaming
 *
 * The events that begin with a response (`response.created`) hold all of the request again, and those that end something
 * (`….done`, `response.completed`) all that was written: what is new stands in the `….delta` events only.
 */
export const openaiResponses: Format = {
  ...openai,
  name: 'openai-responses',
  usageMarker: '"output_tokens"',

  readMessage(data, event) {
    const type = textAt(data, 'type') ?? event ?? ''
    return readingOf({
      ...readResponse(valueAt(data, 'response')),
      text: isTextDelta(type) ? textAt(data, 'delta') : undefined,
      isLast: LAST.has(type),
      ...failureOf(data, type),
    })
  },

  readAnswer(answer) {
    return readingOf({ ...readResponse(answer), text: allText(listAt(answer, 'output'), itemText) })
  },

  maxOutputTokensPath: () => ['max_output_tokens'],
}

/** The delta of an answer, a refusal, reasoning, arguments, code or a transcript; that of audio is base64. */
function isTextDelta(type: string): boolean {
  return type.endsWith('.delta') && type !== 'response.audio.delta'
}

function readResponse(response: unknown): Reading {
  const status = textAt(response, 'status')
  return {
    model: textAt(response, 'model'),
    responseId: textAt(response, 'id'),
    finishReason:
      textAt(response, 'incomplete_details', 'reason') ?? (status && UNFINISHED.has(status) ? undefined : status),
    usage: readUsage(valueAt(response, 'usage')),
    error: errorIn(response),
  }
}

/** https://platform.openai.com/docs/api-reference/responses-streaming/error, or in the form of all other errors. */
function failureOf(data: JsonObject, type: string): Pick<Reading, 'error'> {
  const error = errorIn(data) ?? (type === 'error' ? sentenceOf(data) : undefined)
  return error === undefined ? {} : { error }
}

/** What the model wrote in an item of the output: a message, reasoning, or what it calls a tool with. */
function itemText(item: unknown): string {
  // The summary of reasoning that is told in full is left out.
  const content = listAt(item, 'content')
  return [
    allText(
      content.length > 0 ? content : listAt(item, 'summary'),
      (part) => textAt(part, 'text') ?? textAt(part, 'refusal'),
    ),
    textAt(item, 'arguments') ?? textAt(item, 'input') ?? textAt(item, 'code'),
  ].join('')
}
