import { memoize } from '../util/memoize.js'
import { awsEventStream } from './aws-event-stream.js'
import type { Framing } from './framing.js'
import { jsonArray } from './json-array.js'
import { ndjson } from './ndjson.js'
import { sse } from './sse.js'

export { awsEventStream } from './aws-event-stream.js'
export type { Framer } from './framer.js'
export type { Framing, Message } from './framing.js'
export { jsonArray } from './json-array.js'
export { ndjson } from './ndjson.js'
export { PassThroughFramer } from './pass-through.js'
export { SSE_HEARTBEAT, sse } from './sse.js'
export { asDataEvent, MAX_ENCLOSED_BYTES, WholeBodyAsEvent } from './whole-body-as-event.js'

/** The framings that come with the package: for a format of the app's own, as they are or spread into one of its own. */
export const framings = { sse, ndjson, jsonArray, awsEventStream } as const

/** Whether a framing comes with the package. */
export function isBuiltInFraming(framing: Framing): boolean {
  return Object.values<Framing>(framings).includes(framing)
}

/** The built-in framings that have a `content-type` of their own. */
const labelled: readonly Framing[] = [sse, ndjson, awsEventStream]

/**
 * Returns how a response is divided into frames; `undefined` if it passes as it is, because it is not a stream that we
 * know, or because the package that reads it is not installed. If a sender lists several types, the first known one
 * counts.
 *
 * @param contentType the response's `content-type`, with its parameters
 * @param own framings of the app's own, which come first
 */
export function framingFor(
  contentType: string | undefined,
  own: readonly Framing[] = NO_FRAMINGS,
): Framing | undefined {
  const framing = labelledFraming(contentType, own)
  return framing?.isAvailable?.() === false ? undefined : framing
}

/**
 * Returns whether a response is an AWS event stream that passes as it is, because the package that reads it is not
 * installed.
 *
 * @param contentType the response's `content-type`, with its parameters
 * @param own framings of the app's own, which come first
 */
export function lacksAwsCodec(contentType: string | undefined, own: readonly Framing[] = NO_FRAMINGS): boolean {
  const { isAvailable } = labelledFraming(contentType, own) ?? {}
  // A framing of the app's own that is spread from the built-in one has the same function.
  return isAvailable !== undefined && isAvailable === awsEventStream.isAvailable && !isAvailable()
}

function labelledFraming(contentType: string | undefined, own: readonly Framing[]): Framing | undefined {
  if (contentType === undefined) return undefined
  const framing = own.length > 0 ? framingOf(mediaTypesOf(contentType), own) : undefined
  return framing ?? framingByType(contentType) ?? undefined
}

const NO_FRAMINGS: readonly Framing[] = []

const framingByType = memoize((contentType) => framingOf(typesIn(contentType), labelled) ?? null)

function framingOf(types: readonly string[], framings: readonly Framing[]): Framing | undefined {
  for (const type of types) {
    const framing = framings.find((each) => each.mediaTypes?.includes(type))
    if (framing) return framing
  }
  return undefined
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
