import { readSse } from '../framing/sse-message.js'
import type { CompleteFormat } from './complete.js'
import { dataEvent } from './data-event.js'
import { hasError } from './error-field.js'

// `data: [DONE]` takes about 14 bytes; proxies in between may add a name, an id, a comment or two. The name of an event
// is searched for within the same number of bytes.
const MAX_DONE_BYTES = 512

/** Events that end a stream of the responses API. */
export const LAST_OF_RESPONSES = ['response.completed', 'response.incomplete', 'response.failed', 'response.cancelled']

/**
 * Members that OpenAI's protocols share: how they report failures, how their streams end, and who asks.
 *
 * Errors: https://platform.openai.com/docs/guides/error-codes. Within a stream, OpenAI's SDKs throw on any event with
 * an `error` in its data, but not on the responses API's documented `{"type":"error","message":…}`.
 */
export const openai: Pick<
  CompleteFormat,
  'errorBody' | 'isErrorBody' | 'errorEvent' | 'isTerminator' | 'fieldsWithoutEffect'
> = {
  errorBody({ code, message, status }) {
    return { error: { message, type: errorType(status), code, param: null } }
  },

  isErrorBody: hasError,

  fieldsWithoutEffect: ['user', 'metadata', 'stream_options', 'safety_identifier', 'prompt_cache_key'],

  errorEvent: dataEvent,

  isTerminator(event) {
    if (isOneObject(event)) return false
    // Check bytes first: that rules out nearly every event without decoding it.
    if (event.length <= MAX_DONE_BYTES && event.includes('[DONE]')) return readSse(event)?.data === '[DONE]'
    return endsResponse(event)
  },
}

/**
 * Returns whether an event ends a stream of the responses API, by its name. `[DONE]`, which some servers add, does not:
 * clients take a response without a last event for one that broke off.
 */
export function endsResponse(event: Buffer): boolean {
  if (isOneObject(event)) return false
  const head = event.subarray(0, MAX_DONE_BYTES)
  if (!head.includes('response.')) return false
  const name = /^event: ?(\S+)/m.exec(head.toString('latin1'))?.[1]
  return name !== undefined && LAST_OF_RESPONSES.includes(name)
}

const [D, COLON, SPACE, OPEN_BRACE, LF, CR] = [0x64, 0x3a, 0x20, 0x7b, 0x0a, 0x0d]

/** A line break this close to the end of an event belongs to its end: no line with a name is this short. */
const MAX_LINE_END_BYTES = 4

/**
 * Returns whether an event is a single line of data that begins an object, as nearly all are: it is then not `[DONE]`,
 * and has no name.
 */
function isOneObject(event: Buffer): boolean {
  if (event[0] !== D || event[4] !== COLON) return false
  const isObject = event[5] === OPEN_BRACE || (event[5] === SPACE && event[6] === OPEN_BRACE)
  return isObject && isAtEnd(event, event.indexOf(LF)) && isAtEnd(event, event.indexOf(CR))
}

function isAtEnd(event: Buffer, at: number): boolean {
  return at === -1 || at >= event.length - MAX_LINE_END_BYTES
}

function errorType(status: number): string {
  if (status === 429) return 'rate_limit_error'
  return status < 500 ? 'invalid_request_error' : 'server_error'
}
