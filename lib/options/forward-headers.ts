import type { HookedExchange } from '../api/hooks.js'
import type { AiProxyOptions } from '../api/options.js'
import { builtInFormats, otherRequestHeaders, sdkHeaders } from '../formats/index.js'
import { isHopByHop } from '../util/hop-by-hop.js'
import { matcherOf } from '../util/matcher-of.js'
import { memoize } from '../util/memoize.js'
import { isCredentialHeader } from './credential-names.js'
import type { ExchangeSource } from './exchange-source.js'
import { invalidOption } from './validate.js'
/**
 * Returns whether a client header, given by its lower-case name, is forwarded to the provider.
 *
 * @throws AsyncFilterError
 */
export type HeaderFilter = (name: string, exchange: ExchangeSource) => boolean

/** A `forwardHeaders` function returned a promise, which cannot be awaited here. */
export class AsyncFilterError extends TypeError {}

/**
 * Client headers that are forwarded by default; `*` matches any rest. None is a credential. They control how the answer
 * is made, or identify and correlate requests. The list is frozen: extend it with `[...defaultForwardHeaders, 'x-mine']`.
 */
export const defaultForwardHeaders: readonly string[] = Object.freeze([
  ...['accept', 'content-type', 'user-agent', 'prefer', 'last-event-id'],
  ...['mcp-session-id', 'mcp-protocol-version'],
  ...['x-request-id', 'x-client-request-id', 'idempotency-key', 'traceparent', 'tracestate'],
  ...sdkHeaders,
  ...new Set(builtInFormats.flatMap((format) => format.requestHeaders)),
  ...otherRequestHeaders,
])

/** The client's credentials: they are forwarded only if we hold none of the provider's. */
const credentialHeaders: readonly string[] = [
  'authorization',
  ...builtInFormats.flatMap((format) => format.credentialHeaders),
]

/**
 * Headers that the proxy sets itself, a client's cookies, which are for the app, and headers that change what a request
 * means.
 */
const NEVER = new RegExp(
  `^(?:${[
    'expect',
    'host',
    'content-length',
    'accept-encoding',
    '(?:set-)?cookie2?',
    'x-(?:http-)?(?:method|host)(?:-override)?',
    'x-(?:original|rewrite|override)-(?:url|uri|path|method|host)',
    'x-envoy-original-path',
    ...builtInFormats.flatMap((format) => format.withheldHeaders),
  ].join('|')})$`,
)

/** Origin of a request, as reported by the servers before the app. A client can forge it. */
const ORIGINS = /^(?:forwarded|x-forwarded(?:-.*)?|x-real-ip|x-client-ip|true-client-ip|cf-connecting-ip)$/

/** Returns a name as servers read it that turn headers into variables (CGI). */
function plain(name: string): string {
  return name.replaceAll('_', '-')
}

export function mayBeForwarded(name: string): boolean {
  // HTTP/2 has `:path` and others among its headers.
  return !name.startsWith(':') && !isHopByHop(plain(name)) && !NEVER.test(plain(name))
}

/** A token (RFC 9110, 5.6.2), or the beginning of one and `*`. */
const HEADER_NAME = /^(?:[\w!#$%&'+.^`|~-]+\*?|\*)$/

const COMMON =
  /^(?:accept-.*|content-.*|origin|referer|from|via|baggage|priority|pragma|cache-control|date|x-(?:app|env|environment|region|service|source|team|tenant)(?:-id|-name)?|.*-version|.*-beta|.*-(?:request|correlation|trace)-id)$/

/**
 * Returns whether a header that the app sets is known not to be a credential. An unknown header may be one: a gateway's
 * key can have any name.
 *
 * @param name in any case
 */
export function isHarmlessHeader(name: string): boolean {
  const lower = name.toLowerCase()
  if (isCredentialHeader(lower)) return false
  return isDefault(lower) || ORIGINS.test(lower) || COMMON.test(lower)
}

const isDefault = matcherOf(defaultForwardHeaders)

/**
 * Compiles the `forwardHeaders` option.
 *
 * @param holdsCredentials whether we hold the provider's credentials: no filter then lets the client's through
 * @param ofFormat names that the app's own format forwards by default
 * @throws TypeError if the option is neither a list of names nor a function, or has a name that no header has, or that of
 *   one that is never forwarded
 */
export function compileForwardHeaders(
  option: AiProxyOptions['forwardHeaders'],
  holdsCredentials: boolean,
  ofFormat: readonly string[] = [],
): HeaderFilter {
  const isForbidden = (name: string) => !mayBeForwarded(name) || (holdsCredentials && isCredentialHeader(name))
  // Headers about the client's origin are forwarded only if the app names them: the client can forge them.
  const isForbiddenUnnamed = (name: string) => isForbidden(name) || ORIGINS.test(plain(name))
  if (typeof option === 'function') {
    return (name, exchange) => !isForbiddenUnnamed(name) && callFilter(option, name, exchange.hookView())
  }
  if (option !== undefined && !(Array.isArray(option) && option.every((name) => typeof name === 'string'))) {
    invalidOption('forwardHeaders', option, 'a list of header names, or a function of a name')
  }
  const names = option?.map((name) => name.toLowerCase()) ?? [
    ...defaultForwardHeaders,
    ...ofFormat.filter((name) => !isForbidden(name)),
  ]
  const forbidden = option && names.find(isForbidden)
  if (forbidden) {
    const why = !mayBeForwarded(forbidden) ? 'is never forwarded' : 'is a credential of the client, and `auth` is set'
    invalidOption('forwardHeaders', forbidden, `names of headers that may be forwarded; this one ${why}`)
  }
  const malformed = option?.find((name) => !HEADER_NAME.test(name))
  if (malformed !== undefined) {
    invalidOption('forwardHeaders', malformed, "names of headers; '*' stands for any rest, at the end of a name only")
  }
  const exact = new Set(names.concat(option || holdsCredentials ? [] : credentialHeaders))
  const matches = matcherOf(names)
  // None of the exact names is forbidden: that was an error above.
  return memoize((name) => exact.has(name) || (matches(name) && !isForbiddenUnnamed(name)))
}

/** Calls the app's function, which must answer synchronously: a promise is neither yes nor no. */
function callFilter(
  filter: (name: string, exchange: HookedExchange) => unknown,
  name: string,
  exchange: HookedExchange,
): boolean {
  const answer = filter(name, exchange)
  if (typeof answer === 'object' && answer !== null && 'then' in answer) {
    // Nobody awaits the promise, and an unhandled rejection would end the process.
    Promise.resolve(answer).catch(() => {})
    throw new AsyncFilterError('forwardHeaders returned a promise: it must return true or false synchronously')
  }
  return answer === true
}
