import type { Environment } from './environment.js'
import type { FetchLike } from './fetch-like.js'
import { rememberHandle } from './handles.js'
import { type ResolvedOptions, type ResumableOptions, resolveOptions } from './options.js'
import { ResumableBody } from './resumable-body.js'
import { mediaTypeOf, splitterFor } from './splitter-for.js'
import { announcedUrl, isSameResource, STREAM_ID, type StreamHandle, urlBelow } from './stream-handle.js'
import { type Fetch, type StreamRequest, streamRequest } from './stream-request.js'
import { wrappedResponse } from './wrapped-response.js'

/** What `resumable()` does, with a clock, chance and network of the caller's. */
export function resumableIn<F extends FetchLike>(environment: Environment, fetch: F, options: ResumableOptions): F {
  if (typeof fetch !== 'function') throw new TypeError(`resumable takes a fetch first; got ${typeof fetch}`)
  const resolved = resolveOptions(options)
  const send = fetch as unknown as Fetch
  const wrapped: Fetch = async (input, init) => {
    // Read before it is sent, which may consume or change it.
    const request = streamRequest(input, init)
    const response = await send(input, init)
    return isStream(response) ? resumed(response, request, send, resolved, environment) : response
  }
  // Some have more members, such as Bun's `preconnect`.
  return Object.assign(wrapped as unknown as F, fetch)
}

function isStream(response: Response): boolean {
  const id = response.headers?.get('x-stream-id')
  return response.ok && typeof response.body?.getReader === 'function' && STREAM_ID.test(id ?? '')
}

function resumed(
  response: Response,
  request: StreamRequest,
  fetch: Fetch,
  options: ResolvedOptions,
  environment: Environment,
): Response {
  const id = response.headers.get('x-stream-id')!
  const { streamsUrl, maxEventBytes } = options
  const url = streamsUrl ? urlBelow(streamsUrl, id, response.url || request.url) : announcedUrl(response, request)
  const handle: StreamHandle = { id, url, fetch, init: request.init }
  const mediaType = mediaTypeOf(response)
  const continues = url !== undefined && isSameResource(url, response.url || request.url)
  const splitter = splitterFor(mediaType, maxEventBytes, continues ? request.after : '0')
  const body = new ResumableBody(response, {
    ...{ handle, splitter, mediaType, signal: request.signal, options, environment },
  })
  return wrappedResponse(response, body.stream, (copy) => rememberHandle(copy, handle))
}
