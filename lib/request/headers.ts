import type { IncomingHttpHeaders } from 'node:http'
import { fail } from '../check.js'
import { isHopByHop, namedByConnection } from '../hop-by-hop.js'
import type { AiProxyOptions } from '../options.js'

/** Whether a client header, by its lower-case name, goes on to the provider. */
export type HeaderFilter = (name: string) => boolean

/** The client headers that go on by default; `*` stands for any rest. */
export const defaultForwardHeaders: readonly string[] = [
  'accept',
  'content-type',
  'user-agent',
  'anthropic-version',
  'anthropic-beta',
  'openai-beta',
  'x-request-id',
  'idempotency-key',
  'traceparent',
  'tracestate',
  'x-stainless-*',
]

/** The client's own credentials: they go on only where we hold none of the provider's. */
const credentialHeaders: readonly string[] = [
  'authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'openai-organization',
  'openai-project',
]

const credentialParameters: readonly string[] = [
  'key',
  'api_key',
  'api-key',
  'apikey',
  'access_token',
  'subscription-key',
]

/** Headers that the proxy decides on itself, and a client's cookies, which are for the app. */
const neverForwarded = ['expect', 'host', 'content-length', 'accept-encoding', 'cookie', 'cookie2']

function mayBeForwarded(name: string): boolean {
  return !isHopByHop(name) && !neverForwarded.includes(name)
}

/** Headers by which HTTP finds where a message ends: set by hand, they would put a pooled connection out of step. */
export function isFramingHeader(name: string): boolean {
  return isHopByHop(name) || name === 'content-length' || name === 'expect'
}

export function isCredentialHeader(name: string): boolean {
  return credentialHeaders.includes(name.toLowerCase())
}

/**
 * Compiles the `forwardHeaders` option.
 *
 * @param holdsCredentials we send the provider's credentials ourselves: no filter lets the client's through
 * @throws TypeError where the option is neither a list of names nor a function, or names what never goes on
 */
export function compileForwardHeaders(
  option: AiProxyOptions['forwardHeaders'],
  holdsCredentials: boolean,
): HeaderFilter {
  const isBarred = (name: string) => !mayBeForwarded(name) || (holdsCredentials && isCredentialHeader(name))
  if (typeof option === 'function') return (name) => !isBarred(name) && option(name)
  if (option !== undefined && !(Array.isArray(option) && option.every((name) => typeof name === 'string'))) {
    fail('forwardHeaders', option, 'a list of header names, or a function of a name')
  }
  const names = option?.map((name) => name.toLowerCase()) ?? defaultForwardHeaders
  const barred = option && names.find(isBarred)
  if (barred) {
    const why = !mayBeForwarded(barred) ? 'never goes on' : 'is a credential of the client, and `auth` is set'
    fail('forwardHeaders', barred, `names of headers that may go on; this one ${why}`)
  }
  const exact = new Set(names.concat(option || holdsCredentials ? [] : credentialHeaders))
  const starts = names.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1))
  // None of the exact names is barred: that was an error above.
  return (name) => exact.has(name) || (starts.some((start) => name.startsWith(start)) && !isBarred(name))
}

/** These go on with the body that they describe, as it goes on. */
const ofTheBody = ['content-type', 'content-encoding', 'content-length']

/** The client's headers that go on, beside its body's. What `connection` names is meant for this connection alone. */
export function forwardedHeaders(
  client: IncomingHttpHeaders,
  forwards: HeaderFilter,
): Record<string, string | string[]> {
  const named = namedByConnection(client.connection)
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(client)) {
    if (value === undefined || named.includes(name) || ofTheBody.includes(name)) continue
    if (forwards(name)) headers[name] = value
  }
  return headers
}

/**
 * The query that goes on.
 *
 * @param client the client's, without `?`
 * @param ours parameters of ours, which replace the client's of the same name
 * @param holdsCredentials we hold the provider's credentials: the client's are taken out
 */
export function forwardedQuery(client: string, ours: readonly [string, string][], holdsCredentials: boolean): string {
  if (!holdsCredentials) return client
  const replaced = new Set([...credentialParameters, ...ours.map(([name]) => name.toLowerCase())])
  const kept = client.split('&').filter((pair) => pair !== '' && !replaced.has(parameterName(pair)))
  return [...kept, ...ours.map((pair) => pair.map(encodeURIComponent).join('='))].join('&')
}

function parameterName(pair: string): string {
  return (new URLSearchParams(pair).keys().next().value ?? '').toLowerCase()
}
