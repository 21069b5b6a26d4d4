import type { Format } from './format.js'
import { readEvent } from './read-event.js'

// The shortest spelling of `data: [DONE]` has 13 bytes; longer ones have line ends, spaces or an `event:` line more.
const LONGEST_DONE = 64
const LAST_OF_RESPONSES = ['response.completed', 'response.incomplete', 'response.failed']

/**
 * OpenAI's protocol, chat completions and responses alike, which most other providers speak too.
 *
 * Errors: https://platform.openai.com/docs/guides/error-codes
 */
export const openai: Format = {
  name: 'openai',

  errorBody({ code, message, status }) {
    return { error: { message, type: errorType(status), code, param: null } }
  },

  isErrorBody(body) {
    return typeof body === 'object' && body !== null && 'error' in body && Boolean(body.error)
  },

  errorEvent(body) {
    return `data: ${JSON.stringify(body)}\n\n`
  },

  isTerminator(event) {
    // Bytes first: nearly every event is told apart here, without decoding it.
    if (event.length <= LONGEST_DONE && event.includes('[DONE]')) return readEvent(event)?.data === '[DONE]'
    const head = event.subarray(0, LONGEST_DONE)
    if (!head.includes('response.')) return false
    const name = /^event: ?(\S+)/m.exec(head.toString('latin1'))?.[1]
    return name !== undefined && LAST_OF_RESPONSES.includes(name)
  },
}

function errorType(status: number): string {
  return status < 500 ? 'invalid_request_error' : 'server_error'
}
