import { readSse } from '../sse-message.js'
import { dataEvent, hasError } from './failures.js'
import type { Format } from './format.js'

// The shortest spelling of `data: [DONE]` has 13 bytes; longer ones have line ends, spaces or an `event:` line more.
const LONGEST_DONE = 64
const LAST_OF_RESPONSES = ['response.completed', 'response.incomplete', 'response.failed']

/**
 * What all of OpenAI's protocols share: how they fail, and how their streams end.
 *
 * Errors: https://platform.openai.com/docs/guides/error-codes. Within a stream OpenAI's own SDKs throw on any event that
 * has an `error` in its data; on the responses API's documented `{"type":"error","message":…}` they do not.
 */
export const openai: Pick<Format, 'errorBody' | 'isErrorBody' | 'errorEvent' | 'isTerminator'> = {
  errorBody({ code, message, status }) {
    return { error: { message, type: errorType(status), code, param: null } }
  },

  isErrorBody: hasError,

  errorEvent: dataEvent,

  isTerminator(event) {
    // Bytes first: nearly every event is told apart here, without decoding it.
    if (event.length <= LONGEST_DONE && event.includes('[DONE]')) return readSse(event)?.data === '[DONE]'
    const head = event.subarray(0, LONGEST_DONE)
    if (!head.includes('response.')) return false
    const name = /^event: ?(\S+)/m.exec(head.toString('latin1'))?.[1]
    return name !== undefined && LAST_OF_RESPONSES.includes(name)
  },
}

function errorType(status: number): string {
  return status < 500 ? 'invalid_request_error' : 'server_error'
}
