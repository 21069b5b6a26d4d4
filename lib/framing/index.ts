import { memoize } from '../util/memoize.js'
import { awsEventStream } from './aws-event-stream.js'
import type { Framing } from './framing.js'
import { ndjson } from './ndjson.js'
import { sse } from './sse.js'

export type { Framer } from './framer.js'
export type { Framing, Message } from './framing.js'
export { jsonArray } from './json-array.js'
export { ndjson } from './ndjson.js'
export { PassThroughFramer } from './pass-through.js'
export { sizeOf } from './pending-bytes.js'
export { SSE_HEARTBEAT, sse } from './sse.js'
export { asDataEvent, MAX_ENCLOSED_BYTES, WholeBodyAsEvent } from './whole-body-as-event.js'

const framings = new Map<string, Framing>([
  ['text/event-stream', sse],
  ['application/x-ndjson', ndjson],
  ['application/ndjson', ndjson],
  ['application/jsonl', ndjson],
  ['application/jsonlines', ndjson],
  ['application/x-jsonlines', ndjson],
  ['text/x-ndjson', ndjson],
  // Used by Cohere, version 1.
  ['application/stream+json', ndjson],
  ['application/vnd.amazon.eventstream', awsEventStream],
])

/**
 * Returns how a response is divided into frames; `undefined` if it passes as it is, because it is not a stream that we
 * know, or because the package that reads it is not installed. If a sender lists several types, the first known one
 * counts.
 *
 * @param contentType the response's `content-type`, with its parameters
 */
export function framingFor(contentType: string | undefined): Framing | undefined {
  const type = mediaTypesOf(contentType).find((type) => framings.has(type))
  const framing = type === undefined ? undefined : framings.get(type)
  return framing?.isAvailable?.() === false ? undefined : framing
}

/** Returns the media types that a `content-type` names, in lower case and without parameters. There is usually one. */
export function mediaTypesOf(contentType: string | undefined): readonly string[] {
  return contentType === undefined ? NO_TYPES : typesIn(contentType)
}

const NO_TYPES: readonly string[] = []

const typesIn = memoize((contentType): readonly string[] => {
  const types = contentType.split(',').map((type) => type.split(';', 1)[0]!.trim().toLowerCase())
  return types.filter((type) => type !== '')
})
