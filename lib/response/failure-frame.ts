import type { CompleteFormat, StreamState } from '../formats/index.js'
import { type Framing, sse } from '../framing/index.js'

/**
 * What says a failure within a running stream, in the form of its framing; `undefined` where that has none, and the
 * connection must be cut for no client to take a part for the whole.
 *
 * @param body an error body of the format
 * @param stream what the stream has told so far
 */
export function failureFrame(
  framing: Framing,
  format: CompleteFormat,
  body: unknown,
  stream?: StreamState,
): Buffer | undefined {
  if (framing.carriesErrors === false) return undefined
  if (framing === sse) return Buffer.from(format.errorEvent(body, stream))
  return framing.write({ data: JSON.stringify(body), isError: true })
}
