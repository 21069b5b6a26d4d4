import type { AiProxyOptions } from '../api/options.js'
import type { AuthOptions, Credential } from '../api/provider-options.js'
import { isObject } from '../json/json.js'
import { isFramingHeader } from '../util/hop-by-hop.js'
import { kindOf } from '../util/shown.js'
import type { Provider } from './config.js'
import { isCredentialHeader } from './credential-names.js'
import { type CheckedCredential, checkedCredential, faultOf } from './credentials.js'
import { isHarmlessHeader } from './forward-headers.js'
import type { HookErrors } from './hook-errors.js'
import { resolveProxy } from './proxy.js'
import { check, hint, invalidOption, objectOf, orDefault } from './validate.js'

/** The options that describe a provider, for the middleware or for one of its targets. */
export type ProviderOptions = Pick<AiProxyOptions, 'target' | 'auth' | 'headers' | 'proxy'>

/** A provider whose options were validated. */
type ResolvedProvider = Pick<Provider, 'origin' | 'prefix' | 'auth' | 'headers' | 'proxy'>

/**
 * Validates the options that describe a provider.
 *
 * @param nameOf returns the name of an option in errors, such as `targets[0].auth` for `auth`
 * @param elsewhere dotted names of all options, for the hint in an error
 */
export function resolveProvider(
  nameOf: (option: keyof ProviderOptions) => string,
  given: ProviderOptions,
  hookErrors: HookErrors,
  elsewhere: readonly string[],
): ResolvedProvider {
  const { origin, prefix } = resolveTarget(nameOf('target'), given.target)
  return {
    origin,
    prefix,
    auth: resolveAuth(nameOf('auth'), given.auth, hookErrors, elsewhere),
    headers: resolveHeaders(nameOf('headers'), given.headers),
    proxy: resolveProxy(nameOf('proxy'), given.proxy, origin, elsewhere),
  }
}

/** Returns whether a provider's options hold credentials, or may. */
export function mayHoldCredentials({ auth, headers }: Pick<Provider, 'auth' | 'headers'>): boolean {
  return auth.headers.length > 0 || auth.query.length > 0 || headers.some(([name]) => !isHarmlessHeader(name))
}

/** Returns whether a provider's options certainly hold credentials. */
export function holdsKnownCredentials({ auth, headers }: Pick<Provider, 'auth' | 'headers'>): boolean {
  return auth.headers.length > 0 || auth.query.length > 0 || headers.some(([name]) => isCredentialHeader(name))
}

function resolveTarget(option: string, target: unknown): { origin: string; prefix: string } {
  const takes = 'the base URL of the provider, like "https://api.openai.com"'
  if (target === undefined) invalidOption(option, target, takes)
  if (typeof target !== 'string' && !(target instanceof URL)) invalidOption(option, target, takes)
  const text = String(target)
  const url = URL.canParse(text) ? new URL(text) : undefined
  // The message must not show a password before an `@`, or a key in a query.
  const shown = /[@?#]/.test(text) ? hint('one that may hold a secret') : target
  if (!url) invalidOption(option, shown, /^[\w.-]+(:\d+)?(\/|$)/.test(text) ? `${takes}, with its "https://"` : takes)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') invalidOption(option, shown, `${takes} (http: or https:)`)
  if (url.username || url.password) invalidOption(option, shown, `${takes}; credentials go into auth.headers`)
  if (url.search || url.hash) {
    const got = `a URL with ${url.search ? 'a query' : 'a fragment'}`
    invalidOption(option, got, `${takes}; query parameters go into auth.query`)
  }
  return { origin: url.origin, prefix: url.pathname.replace(/\/+$/, '') }
}

/** Validates headers of the app, and returns them by lower-case names. Errors do not show values, which may be secrets. */
export function resolveHeaders(option: string, given: AiProxyOptions['headers']): Provider['headers'] {
  const headers = lowerCased(secretRecord(option, orDefault(given, {})))
  for (const [name, value] of headers) {
    if (typeof value !== 'string') invalidOption(`${option}.${name}`, hint(kindOf(value)), 'a string')
    checkHeader(`${option}.${name}`, name, value)
  }
  return headers
}

/** Returns headers by their lower-case names, so that one that the app sets replaces the client's. */
function lowerCased<T>(headers: Record<string, T>): [string, T][] {
  return Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
}

function checkHeader(option: string, name: string, value: string): void {
  if (isFramingHeader(name)) invalidOption(option, hint('one that does'), 'a header that does not frame HTTP messages')
  check.header(option, name, value)
}

/** Validates an object that may hold secrets: an error shows the type of a wrong value, never the value. */
function secretRecord<T extends object>(option: string, value: T): T {
  return isObject(value) ? check.record(option, value) : invalidOption(option, hint(kindOf(value)), 'an object')
}

function resolveAuth(
  option: string,
  auth: AuthOptions | undefined,
  hookErrors: HookErrors,
  elsewhere: readonly string[],
): Provider['auth'] {
  const given = objectOf(option, secretRecord(option, orDefault(auth, {})), ['headers', 'query'], elsewhere)
  const credentials = (name: 'headers' | 'query') =>
    (name === 'headers' ? lowerCased : Object.entries<Credential>)(
      secretRecord(`${option}.${name}`, orDefault(given[name], {})),
    ).map(([key, value]) => resolveCredential(`${option}.${name}.${key}`, key, value, name === 'headers', hookErrors))
  return { headers: credentials('headers'), query: credentials('query') }
}

function resolveCredential(
  option: string,
  key: string,
  value: Credential,
  isHeader: boolean,
  hookErrors: HookErrors,
): [string, CheckedCredential] {
  // The value may be part of a secret: the error shows only its type, or what is wrong with it.
  const fault = typeof value === 'string' ? faultOf(value) : kindOf(value)
  if (typeof value !== 'function' && fault) {
    const takes = 'a string that is not empty, or a function that returns one (is the environment variable set?)'
    invalidOption(option, hint(fault), takes)
  }
  if (isHeader) checkHeader(option, key, typeof value === 'string' ? value : '')
  return [
    key,
    typeof value === 'function'
      ? hookErrors.reporting('auth', checkedCredential(option, value), (exchange) => exchange)
      : value,
  ]
}
