import { environment } from './environment.js'
import type { FetchLike } from './fetch-like.js'
import type { ResumableOptions } from './options.js'
import { resumableIn } from './resumable-in.js'

/**
 * Wraps a `fetch` so that a stream whose connection breaks goes on by itself: the body waits, asks the server for what
 * follows the last whole event, and hands over each event once. Answers without `x-stream-id` pass
 * as they are. Use it wherever a `fetch` is taken, such as the options of SDKs.
 *
 * The request itself is not repeated: a connection that breaks before the answer starts fails as usual.
 *
 * @param fetch what sends the requests, including those that resume and stop; one that adds fresh credentials does so for each
 * @param options see {@link ResumableOptions}; all have defaults
 * @returns a `fetch` of the same type
 * @throws TypeError if an option is wrong
 */
export function resumable<F extends FetchLike>(fetch: F, options: ResumableOptions = {}): F {
  return resumableIn(environment, fetch, options)
}
