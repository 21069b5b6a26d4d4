import { awsEventStream } from './aws-event-stream.js'
import type { Framing } from './framing.js'
import { ndjson } from './ndjson.js'
import { sse } from './sse.js'

export { asDataEvent, EnclosingFramer } from './enclosed.js'
export type { Framer } from './framer.js'
export type { Framing, Message } from './framing.js'
export { sizeOf } from './held.js'
export { jsonArray } from './json-array.js'
export { NoFramer } from './none.js'
export { SSE_HEARTBEAT, sse } from './sse.js'

const framings = new Map<string, Framing>([
  ['text/event-stream', sse],
  ['application/x-ndjson', ndjson],
  ['application/ndjson', ndjson],
  ['application/jsonl', ndjson],
  ['application/jsonlines', ndjson],
  ['application/vnd.amazon.eventstream', awsEventStream],
])

/**
 * How a response is divided into frames; `undefined` where it passes as it is: it is no stream that we know, or what
 * reads it is not installed.
 *
 * @param contentType the response's `content-type`, parameters and all
 */
export function framingFor(contentType: string | undefined): Framing | undefined {
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const framing = framings.get(mediaType)
  return framing?.isAvailable?.() === false ? undefined : framing
}
