import type { AiProxyOptions } from '../api/options.js'
import { builtInFormats, otherRequestHeaders } from '../formats/index.js'
import { isHopByHop } from '../util/hop-by-hop.js'
import { memoize } from '../util/memoize.js'
import { isCredentialHeader } from './credential-names.js'
import { fail } from './validate.js'
/**
 * Whether a client header, by its lower-case name, goes on to the provider.
 *
 * @throws AsyncFilterError
 */
export type HeaderFilter = (name: string) => boolean

/** A `forwardHeaders` function returned a promise, from which nothing can be told in time. */
export class AsyncFilterError extends TypeError {}

/**
 * The client headers that go on by default; `*` stands for any rest. None is a credential. They say how an answer is to
 * be made, or which request belongs to which.
 */
export const defaultForwardHeaders: readonly string[] = [
  ...['accept', 'content-type', 'user-agent', 'prefer', 'last-event-id'],
  ...['mcp-session-id', 'mcp-protocol-version'],
  ...['x-request-id', 'x-client-request-id', 'idempotency-key', 'traceparent', 'tracestate'],
  // Most SDKs are made by one generator.
  'x-stainless-*',
  ...new Set(builtInFormats.flatMap((format) => format.requestHeaders)),
  ...otherRequestHeaders,
]

/** The client's own credentials: they go on only if we hold none of the provider's. */
const credentialHeaders: readonly string[] = [
  'authorization',
  ...builtInFormats.flatMap((format) => format.credentialHeaders),
]

/** Headers that the proxy decides on itself, a client's cookies, which are for the app, and what gives a request another meaning. */
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

/** Where a request comes from, as the servers before the app tell. A client may tell it, too. */
const ORIGINS = /^(?:forwarded|x-forwarded(?:-.*)?|x-real-ip|x-client-ip|true-client-ip|cf-connecting-ip)$/

/** A name as servers read it that know headers as variables (CGI). */
function plain(name: string): string {
  return name.replaceAll('_', '-')
}

export function mayBeForwarded(name: string): boolean {
  // HTTP/2 has `:path` and the like among its headers.
  return !name.startsWith(':') && !isHopByHop(plain(name)) && !NEVER.test(plain(name))
}

const COMMON =
  /^(?:accept-.*|content-.*|origin|referer|from|via|baggage|priority|pragma|cache-control|date|x-(?:app|env|environment|region|service|source|team|tenant)(?:-id|-name)?|.*-version|.*-beta|.*-(?:request|correlation|trace)-id)$/

/**
 * Whether a header of ours is known to hold no credential. What is not known may be one: a gateway's key has any name.
 *
 * @param name in any case
 */
export function isHarmlessHeader(name: string): boolean {
  const lower = name.toLowerCase()
  if (isCredentialHeader(lower)) return false
  return isDefault(lower) || ORIGINS.test(lower) || COMMON.test(lower)
}

const isDefault = matcherOf(defaultForwardHeaders)

/** Whether a name is among names, of which those that end in `*` stand for any rest. */
function matcherOf(names: readonly string[]): (name: string) => boolean {
  const exact = new Set(names)
  const starts = names.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1))
  return (name) => exact.has(name) || starts.some((start) => name.startsWith(start))
}

/**
 * Compiles the `forwardHeaders` option.
 *
 * @param holdsCredentials the client's credentials stay here: no filter lets them through
 * @param ofFormat names that a format of the app's own has go on by default
 * @throws TypeError if the option is neither a list of names nor a function, or names what never goes on
 */
export function compileForwardHeaders(
  option: AiProxyOptions['forwardHeaders'],
  holdsCredentials: boolean,
  ofFormat: readonly string[] = [],
): HeaderFilter {
  const isBarred = (name: string) => !mayBeForwarded(name) || (holdsCredentials && isCredentialHeader(name))
  // Where the client comes from goes on only if the app names it: it may be made up.
  const isBarredUnnamed = (name: string) => isBarred(name) || ORIGINS.test(plain(name))
  if (typeof option === 'function') return (name) => !isBarredUnnamed(name) && answerOf(option, name)
  if (option !== undefined && !(Array.isArray(option) && option.every((name) => typeof name === 'string'))) {
    fail('forwardHeaders', option, 'a list of header names, or a function of a name')
  }
  const names = option?.map((name) => name.toLowerCase()) ?? [
    ...defaultForwardHeaders,
    ...ofFormat.filter((name) => !isBarred(name)),
  ]
  const barred = option && names.find(isBarred)
  if (barred) {
    const why = !mayBeForwarded(barred) ? 'never goes on' : 'is a credential of the client, and `auth` is set'
    fail('forwardHeaders', barred, `names of headers that may go on; this one ${why}`)
  }
  const exact = new Set(names.concat(option || holdsCredentials ? [] : credentialHeaders))
  const matches = matcherOf(names)
  // None of the exact names is barred: that was an error above.
  return memoize((name) => exact.has(name) || (matches(name) && !isBarredUnnamed(name)))
}

/** What the app's function says, which must say it at once: a promise is neither yes nor no. */
function answerOf(filter: (name: string) => unknown, name: string): boolean {
  const answer = filter(name)
  if (typeof answer === 'object' && answer !== null && 'then' in answer) {
    // It is nobody's to wait for, and what it rejects with would end the process.
    Promise.resolve(answer).catch(() => {})
    throw new AsyncFilterError('forwardHeaders returned a promise: it must return true or false at once')
  }
  return answer === true
}
