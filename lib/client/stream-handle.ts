import type { StreamsUrl } from './options.js'
import type { Fetch, FetchInit, StreamRequest } from './stream-request.js'

/** A stream of the server's: what it takes to ask for its continuation, or to stop it. */
export interface StreamHandle {
  readonly id: string
  /** The stream's own URL; `undefined` if nothing says where the server has it. */
  readonly url: string | undefined
  readonly fetch: Fetch
  /** Headers and credentials for each request. */
  readonly init: FetchInit
}

/** 128 random bits. Anything else is not from the server, and must not get into a URL. */
export const STREAM_ID = /^[\w-]{22}$/

/** Asks for what follows an event. Redirects are not followed: headers of the app's own may be credentials. */
export async function requestRest(
  handle: StreamHandle,
  url: string,
  after: string,
  signal: AbortSignal,
): Promise<Response> {
  // Not as a method: the `fetch` of browsers throws unless `this` is the global object or undefined.
  const { fetch } = handle
  return fetch(withAfter(url, after), { ...handle.init, method: 'GET', redirect: 'manual', signal })
}

/** Asks how a stream stands. */
export async function requestStand(handle: StreamHandle, url: string, signal: AbortSignal): Promise<Response> {
  const { fetch } = handle
  return fetch(url, { ...handle.init, method: 'HEAD', redirect: 'manual', signal })
}

/** Asks the server to stop the provider. `keepalive` lets the request survive the page that sends it. */
export async function requestStop(handle: StreamHandle, url: string): Promise<Response> {
  const { fetch } = handle
  return fetch(url, { ...handle.init, method: 'DELETE', redirect: 'manual', keepalive: true })
}

/** Returns a URL of the option `streamsUrl` for a stream. */
export function urlBelow(streamsUrl: StreamsUrl, id: string, url: string): string {
  return typeof streamsUrl === 'function' ? streamsUrl({ id, url }) : `${streamsUrl.replace(/\/$/, '')}/${id}`
}

/**
 * Returns the URL that `x-stream-url` says, if it is on the origin of the request: headers with credentials go there,
 * so no answer may send them elsewhere.
 */
export function announcedUrl(response: Response, request: StreamRequest): string | undefined {
  const announced = response.headers.get('x-stream-url')
  const { location } = globalThis as { readonly location?: { readonly href: string } }
  const origin = (parsed(request.url, location?.href) ?? parsed(response.url))?.origin
  if (!announced || origin === undefined) return undefined
  if (response.redirected && parsed(response.url)?.origin !== origin) return undefined
  const url = parsed(announced, origin)
  return url?.origin === origin ? url.href : undefined
}

/** Returns whether two URLs differ in nothing but query and fragment. */
export function isSameResource(url: string, other: string): boolean {
  // Either may be relative to the page.
  const whole = parsed(other)
  const absolute = parsed(url, whole?.href)
  if (!whole || !absolute) return url.replace(/[?#].*/, '') === other.replace(/[?#].*/, '')
  return absolute.origin === whole.origin && absolute.pathname === whole.pathname
}

function parsed(url: string, base?: string): URL | undefined {
  try {
    return new URL(url, base)
  } catch {
    return undefined
  }
}

/** The URL may be relative, so it is changed as text. */
function withAfter(url: string, after: string): string {
  const [rest = ''] = url.split('#', 1)
  return `${rest}${rest.includes('?') ? '&' : '?'}after=${encodeURIComponent(after)}`
}
