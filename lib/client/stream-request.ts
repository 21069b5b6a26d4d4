/** What the types of `fetch` call its two arguments, in browsers and in Node alike. */
export type Fetch = typeof globalThis.fetch
export type FetchInput = Parameters<Fetch>[0]
export type FetchInit = NonNullable<Parameters<Fetch>[1]>

/** Headers that describe the body of the original request, or ask for a part of an answer. */
const OWN_HEADERS = /^(?:content-|transfer-encoding$|expect$|range$|if-|last-event-id$)/i

/** Settings of a `Request` that its follow-up requests need as well. */
const SETTINGS = ['credentials', 'mode', 'referrer', 'referrerPolicy'] as const

/** How the original request was made: what its follow-ups are made like. */
export interface StreamRequest {
  /** As `fetch` got it, so possibly relative. */
  readonly url: string
  readonly init: FetchInit
  readonly signal: AbortSignal | undefined
  /** The event after which the answer starts, if the request itself asks for a stream to continue. */
  readonly after: string
}

/** Copies from the arguments of `fetch` what follow-up requests need: credentials and headers, without the body. */
export function streamRequest(input: FetchInput, given?: FetchInit | null): StreamRequest {
  // `fetch` takes `null`, too.
  const init: FetchInit = given ?? {}
  const request = typeof input === 'object' && 'url' in input ? input : undefined
  const url = request ? request.url : String(input)
  const { body: _body, signal, ...others } = init
  const original = new Headers(init.headers ?? request?.headers)
  const headers = new Headers(original)
  for (const name of [...original.keys()]) if (OWN_HEADERS.test(name)) headers.delete(name)
  const settings = request && Object.fromEntries(SETTINGS.map((name) => [name, request[name]]))
  const kept: FetchInit & { duplex?: unknown; integrity?: unknown } = { ...settings, ...others, headers }
  delete kept.duplex
  delete kept.integrity
  delete kept.keepalive
  return {
    url,
    init: kept,
    // An explicit `null` takes the request's signal away.
    signal: (signal === undefined ? request?.signal : signal) ?? undefined,
    after: /[?&]after=([\w.-]+)/.exec(url)?.[1] ?? original.get('last-event-id') ?? '0',
  }
}
