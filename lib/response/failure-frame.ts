import type { Format, StreamState } from '../formats/index.js'
import type { Framing } from '../framing/index.js'

/**
 * What says a failure within a running stream, in the form of its framing; `undefined` where that has none, and the
 * connection must be cut for no client to take a part for the whole.
 *
 * @param body an error body of the format
 * @param stream what the stream has told so far
 */
export function failureFrame(
  framing: Framing,
  format: Format,
  body: unknown,
  stream?: StreamState,
): Buffer | undefined {
  switch (framing.name) {
    case 'sse':
      return Buffer.from(format.errorEvent(body, stream))
    case 'ndjson':
      return Buffer.from(`${JSON.stringify(body)}\n`)
    case 'aws-event-stream':
      return framing.write({ event: 'internalServerException', data: JSON.stringify(body), isError: true })
    case 'json-array':
      return undefined
  }
}
