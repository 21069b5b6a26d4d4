import type { Framer } from './framer.js'
import { NoFramer } from './none.js'
import { SseFramer } from './sse.js'

export { asDataEvent, EnclosingFramer } from './enclosed.js'
export type { Framer } from './framer.js'

const framings = new Map<string, new (maxEventBytes: number) => Framer>([['text/event-stream', SseFramer]])

/**
 * Chooses how a response is cut into frames.
 *
 * @param contentType the response's `content-type`, parameters and all
 * @param maxEventBytes the longest event that passes, in bytes
 */
export function framerFor(contentType: string | undefined, maxEventBytes: number): Framer {
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return new (framings.get(mediaType) ?? NoFramer)(maxEventBytes)
}
