import { LineSplitter, MessageSplitter } from './counting-splitters.js'
import type { EventSplitter } from './event-splitter.js'
import { SseSplitter, sseCursor } from './sse-splitter.js'

const LINES: readonly string[] = [
  ...['application/x-ndjson', 'application/ndjson', 'text/x-ndjson'],
  ...['application/jsonl', 'application/jsonlines', 'application/x-jsonlines', 'application/stream+json'],
]

/** Returns the media type of an answer without its parameters, in lower case. */
export function mediaTypeOf(response: Response): string {
  return (response.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
}

/**
 * Returns what splits a body of this media type between its events, or `undefined` if such a body cannot be resumed.
 *
 * @param after where the body starts: `<n>` or `<epoch>.<n>`, the event before its first
 */
export function splitterFor(mediaType: string, maxEventBytes: number, after: string): EventSplitter | undefined {
  const cursor = sseCursor(after) ?? { epoch: undefined, n: Number(after) || 0 }
  if (mediaType === 'text/event-stream') return new SseSplitter(maxEventBytes, cursor)
  if (LINES.includes(mediaType)) return new LineSplitter(maxEventBytes, cursor.n)
  if (mediaType === 'application/vnd.amazon.eventstream') return new MessageSplitter(maxEventBytes, cursor.n)
  return undefined
}
