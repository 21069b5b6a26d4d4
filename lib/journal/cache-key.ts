import { createHash } from 'node:crypto'
import { sharedHeadersWithoutEffect } from '../formats/index.js'
import { isObject } from '../json/json.js'
import { matcherOf } from '../util/matcher-of.js'

/** Headers that say who asks, how, and when, but nothing about the answer. */
const IGNORED_HEADERS =
  /^(?:accept(?:-encoding|-language|-charset)?|user-agent|content-(?:type|length|encoding)|.*(?:request|correlation|client|session|trace)-?id|trace(?:parent|state)|baggage|b3|x-b3-.*|idempotency-key|last-event-id|prefer|referer|origin|sec-.*|date|priority|dnt|te|via|forwarded|x-forwarded-.*)$/

const saysWhoAsks = matcherOf(sharedHeadersWithoutEffect)

/** What decides an answer. */
export interface KeyParts {
  readonly scope: string
  /** Names of the targets that may answer. */
  readonly targets: readonly string[]
  readonly path: string
  /** Without credentials. */
  readonly query: readonly (readonly [string, string])[]
  /** Headers that are forwarded, without credentials, by lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Names of those that do not change the answer; `*` matches any rest. */
  readonly ignoredHeaders: readonly string[]
  readonly body: unknown
  /** Its fields that do not change the answer. */
  readonly ignoredFields: readonly string[]
  readonly stream: boolean
}

/**
 * Returns the key of a request's answer.
 *
 * @throws RangeError if the body is nested too deeply, or has a number that is not exact
 */
export function cacheKey(parts: KeyParts): string {
  const { scope, targets, path, query, headers, body, ignoredFields, stream } = parts
  const isIgnored = matcherOf(parts.ignoredHeaders)
  const sent = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && !(IGNORED_HEADERS.test(name) || saysWhoAsks(name) || isIgnored(name)),
  )
  const relevant = isObject(body)
    ? Object.fromEntries(Object.entries(body).filter(([name]) => !ignoredFields.includes(name)))
    : body
  return hashOf([scope, targets, path, query, sent.sort(), relevant, stream])
}

/** Returns the key of an answer for which the app has a name of its own. */
export function ownKey(scope: string, key: string, stream: boolean): string {
  return hashOf([scope, key, stream])
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(canonical(value)).digest('base64url')
}

/**
 * Returns JSON in which the order of fields does not matter.
 *
 * @throws RangeError if it has a number that JavaScript rounds: others would look the same
 */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'number' && isRounded(inner)) throw new RangeError('a number is too large')
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

function isRounded(number: number): boolean {
  return !Number.isFinite(number) || (Number.isInteger(number) && !Number.isSafeInteger(number))
}
