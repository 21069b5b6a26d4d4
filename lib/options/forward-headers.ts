import type { AiProxyOptions } from '../api/options.js'
import { builtInFormats, otherRequestHeaders, sdkHeaders } from '../formats/index.js'
import { isHopByHop } from '../util/hop-by-hop.js'
import { matcherOf } from '../util/matcher-of.js'
import { memoize } from '../util/memoize.js'
import { ignoreRejection } from '../util/promises.js'
import { isCredentialHeader } from './credential-names.js'
import type { ExchangeSource } from './exchange-source.js'
import { HookFault } from './hook-errors.js'
import { invalidOption } from './validate.js'

type FilterFunction = Extract<AiProxyOptions['forwardHeaders'], (...args: never[]) => unknown>

/** Returns whether a client header, given by its lower-case name, is forwarded to the provider. */
export type HeaderFilter = (name: string, exchange: ExchangeSource) => boolean

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
    return (name, exchange) => !isForbiddenUnnamed(name) && option(name, exchange.hookView()) === true
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

/** Wraps the app's function so that it throws a {@link HookFault} if it returns a promise, which is neither yes nor no. */
export function withoutPromises(filter: FilterFunction): FilterFunction {
  return (name, exchange) => {
    const answer: unknown = filter(name, exchange)
    if (ignoreRejection(answer)) {
      throw new HookFault('forwardHeaders must return true or false at once; got a promise')
    }
    return answer === true
  }
}
