import type { Format } from './format.js'
import { readEvent } from './read-event.js'

// `event: message_stop` and `data: {"type":"message_stop"}` have some 50 bytes; proxies between add a field or two.
const LONGEST_STOP = 512

/**
 * Anthropic's messages protocol.
 *
 * Errors: https://docs.anthropic.com/en/api/errors
 */
export const anthropic: Format = {
  name: 'anthropic',

  errorBody({ code, message, status }) {
    return { type: 'error', error: { type: errorType(status), message, code } }
  },

  isErrorBody(body) {
    return typeof body === 'object' && body !== null && 'type' in body && body.type === 'error' && 'error' in body
  },

  errorEvent(body) {
    return `event: error\ndata: ${JSON.stringify(body)}\n\n`
  },

  isTerminator(event) {
    return event.length <= LONGEST_STOP && event.includes('message_stop') && readEvent(event)?.event === 'message_stop'
  },
}

/** Anthropic's error types by the status that it sends with them. */
function errorType(status: number): string {
  if (status === 404) return 'not_found_error'
  if (status === 413) return 'request_too_large'
  if (status === 503) return 'overloaded_error'
  if (status === 504) return 'timeout_error'
  return status < 500 ? 'invalid_request_error' : 'api_error'
}
