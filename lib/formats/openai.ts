import { readSse } from '../framing/sse-message.js'
import type { CompleteFormat } from './complete.js'
import { dataEvent, hasError } from './failures.js'

// `data: [DONE]` has some 14 bytes; proxies between add a name, an id, a comment or two. Behind as much a name is read.
const LONGEST_DONE = 512

/** The events that end a stream of the responses API. */
export const LAST_OF_RESPONSES = ['response.completed', 'response.incomplete', 'response.failed', 'response.cancelled']

/**
 * What all of OpenAI's protocols share: how they fail, and how their streams end.
 *
 * Errors: https://platform.openai.com/docs/guides/error-codes. Within a stream OpenAI's own SDKs throw on any event that
 * has an `error` in its data; on the responses API's documented `{"type":"error","message":…}` they do not.
 */
export const openai: Pick<CompleteFormat, 'errorBody' | 'isErrorBody' | 'errorEvent' | 'isTerminator'> = {
  errorBody({ code, message, status }) {
    return { error: { message, type: errorType(status), code, param: null } }
  },

  isErrorBody: hasError,

  errorEvent: dataEvent,

  isTerminator(event) {
    if (isOneObject(event)) return false
    // Bytes first: nearly every event is told apart here, without decoding it.
    if (event.length <= LONGEST_DONE && event.includes('[DONE]')) return readSse(event)?.data === '[DONE]'
    const head = event.subarray(0, LONGEST_DONE)
    if (!head.includes('response.')) return false
    const name = /^event: ?(\S+)/m.exec(head.toString('latin1'))?.[1]
    return name !== undefined && LAST_OF_RESPONSES.includes(name)
  },
}

const [D, COLON, SPACE, OPEN_BRACE, LF, CR] = [0x64, 0x3a, 0x20, 0x7b, 0x0a, 0x0d]

/** Line ends alone stand in so few bytes at the end of an event: a line with a name is longer. */
const LONGEST_LINE_ENDS = 4

/** Whether an event is one line of data that begins an object, as nearly all are: that is not `[DONE]`, and has no name. */
function isOneObject(event: Buffer): boolean {
  if (event[0] !== D || event[4] !== COLON) return false
  const isObject = event[5] === OPEN_BRACE || (event[5] === SPACE && event[6] === OPEN_BRACE)
  return isObject && isAtEnd(event, event.indexOf(LF)) && isAtEnd(event, event.indexOf(CR))
}

function isAtEnd(event: Buffer, at: number): boolean {
  return at === -1 || at >= event.length - LONGEST_LINE_ENDS
}

function errorType(status: number): string {
  return status < 500 ? 'invalid_request_error' : 'server_error'
}
