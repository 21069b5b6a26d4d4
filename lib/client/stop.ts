import { handleFor } from './handles.js'
import type { StreamsUrl } from './options.js'
import { ResumeError } from './resume-error.js'
import { requestStop, STREAM_ID, type StreamHandle, urlBelow } from './stream-handle.js'
import type { Fetch, FetchInit } from './stream-request.js'

/** Headers as `fetch` has them. */
export interface StreamHeaders {
  /** Returns a header's value, or `null`. */
  get(name: string): string | null
}

/** A response whose stream can be stopped: what `resumable()` returned, or a clone of it. */
export interface StreamResponse {
  /** Its headers, with `x-stream-id`. */
  readonly headers: StreamHeaders
}

/** What `stop()` needs to stop a stream by its id alone. */
export interface StopOptions {
  /** Sends the request. Default: the global `fetch`. */
  readonly fetch?: ((...args: never[]) => Promise<unknown>) | undefined
  /** Where the server has its streams, such as `'/ai/-/streams'`, or a function that returns the URL of a stream. */
  readonly streamsUrl: StreamsUrl
  /** Headers that authenticate the request, such as `authorization`. Cookies go with the request by `credentials`. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The `credentials` mode of the request. Default: that of `fetch`. */
  readonly credentials?: 'omit' | 'same-origin' | 'include' | undefined
}

/**
 * Stops a stream on the server, and the provider with it: what a Stop button does. Whoever reads the stream gets what
 * was sent before. The request survives the page that sends it (`keepalive`).
 *
 * @param stream what `resumable()` returned, or the id of a stream, from `x-stream-id`
 * @param options where the stream is and who asks; needed for an id, and ignored for a response
 * @returns `true` if the server took it; `false` if there is no such stream any more
 * @throws TypeError if the stream is not one that can be stopped
 * @throws ResumeError with `code: 'refused'` if the server refuses
 */
export async function stop(stream: StreamResponse | string, options?: StopOptions): Promise<boolean> {
  const handle = typeof stream === 'string' ? handleOf(stream, options) : handleFor(stream)
  if (handle?.url === undefined) {
    throw new TypeError('stop: takes a response of resumable() whose stream has a URL, or an id with streamsUrl')
  }
  const { status, body } = await requestStop(handle, handle.url)
  void body?.cancel().catch(() => {})
  if (status >= 200 && status < 300) return true
  if (status === 404 || status === 410) return false
  throw new ResumeError('refused', `The server refuses to stop the stream (status ${status}).`, {
    ...{ streamId: handle.id, status },
  })
}

function handleOf(id: string, options: StopOptions | undefined): StreamHandle {
  if (!STREAM_ID.test(id)) throw new TypeError('stop: the id of a stream has 22 characters, as in x-stream-id')
  const { fetch = globalThis.fetch, streamsUrl, headers, credentials } = options ?? {}
  const init: FetchInit = { ...(headers && { headers: { ...headers } }), ...(credentials && { credentials }) }
  return { id, url: streamsUrl ? urlBelow(streamsUrl, id, '') : undefined, fetch: fetch as Fetch, init }
}
