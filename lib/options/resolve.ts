import { modelFieldNames } from '../api/model-fields.js'
import type { Observer } from '../api/observer.js'
import type { AiProxyOptions, AuthOptions, Credential, ModelOptions, ProxyOptions } from '../api/options.js'
import { isFramingHeader } from '../util/hop-by-hop.js'
import { setupWarningCodes } from '../util/warn.js'
import type { Config } from './config.js'
import { isCredentialHeader } from './credential-names.js'
import { checkedCredential } from './credentials.js'
import { defaults } from './defaults.js'
import { compileEndpoints } from './endpoints.js'
import { checkedEstimate } from './estimate-tokens.js'
import { resolveFormat } from './format.js'
import { compileForwardHeaders, isHarmlessHeader } from './forward-headers.js'
import { HookErrors } from './hook-errors.js'
import { compileLimits, limitOptionNames } from './limits.js'
import { compileModels } from './models.js'
import { check, fail, hint, nearest, objectOf } from './validate.js'

const optionNames = [
  'target',
  'auth',
  'headers',
  'forwardHeaders',
  'forwardCredentials',
  'endpoints',
  'limits',
  'turns',
  'heartbeat',
  'onClientDisconnect',
  'errors',
  'format',
  'includeUsage',
  'estimateTokens',
  'models',
  'modelOptions',
  'overload',
  'onRequest',
  'onResponse',
  'onEvent',
  'observers',
  'onFinish',
  'onError',
  'warnings',
  'proxy',
] as const
const proxyNames = ['agent', 'fromEnv', 'secure', 'ssl', 'xfwd', 'changeOrigin', 'localAddress', 'fastPath'] as const
const allNames = [
  ...optionNames,
  'auth.headers',
  'auth.query',
  'turns.budgetMs',
  'heartbeat.everyMs',
  'heartbeat.beforeFirstByte',
  'modelOptions.defaults',
  'modelOptions.overrides',
  'overload.maxEventLoopDelayMs',
  ...limitOptionNames.map((name) => `limits.${name}`),
  ...proxyNames.map((name) => `proxy.${name}`),
]

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TypeError naming the option, what it got, what it takes, and the likely intended spelling
 */
export function resolveOptions(options: AiProxyOptions): Config {
  const given = objectOf('', options, optionNames, allNames)
  const { origin, prefix } = resolveTarget(given.target)
  const hookErrors = new HookErrors(check.optionalFunction('onError', given.onError))
  const auth = resolveAuth(given.auth, hookErrors)
  const headers = lowerCased(secretive('headers', or(given.headers, {})))
  for (const [name, value] of headers) {
    if (typeof value !== 'string') fail(`headers.${name}`, hint(typeof value), 'a string')
    checkHeader(`headers.${name}`, name, value)
  }
  const forwardCredentials = resolveForwardCredentials(given, auth, headers)
  const mayHold = auth.headers.length > 0 || auth.query.length > 0 || headers.some(([name]) => !isHarmlessHeader(name))
  const holdsCredentials = forwardCredentials === undefined ? mayHold : !forwardCredentials
  const { models, modelsOf } = compileModels(given.models, hookErrors)
  const readsRequests = [models, modelsOf, given.modelOptions, given.onRequest].some((option) => option !== undefined)
  const { limits, forRequest: limitsFor } = compileLimits(given.limits, hookErrors, allNames)
  const turns = objectOf('turns', or(given.turns, {}), ['budgetMs'], allNames)
  const format = resolveFormat(given.format, hookErrors)
  return {
    origin,
    prefix,
    auth,
    holdsCredentials,
    forwardCredentials: forwardCredentials === true,
    headers,
    forwards: compileForwardHeaders(
      watchedFilter(given.forwardHeaders, hookErrors),
      holdsCredentials,
      format?.requestHeaders,
    ),
    endpoints: compileEndpoints(given.endpoints, prefix, readsRequests, format?.endpoints),
    limits,
    limitsFor,
    budgetMs: turns.budgetMs === undefined ? undefined : check.number('turns.budgetMs', turns.budgetMs, { above: 0 }),
    heartbeat: resolveHeartbeat(given.heartbeat),
    onClientDisconnect: check.oneOf('onClientDisconnect', or(given.onClientDisconnect, defaults.onClientDisconnect), [
      'abort',
      'drain',
    ]),
    errors: check.oneOf('errors', or(given.errors, defaults.errors), ['respond', 'next']),
    format,
    includeUsage: check.boolean('includeUsage', or(given.includeUsage, defaults.includeUsage)),
    estimateTokens: hookErrors.watched(
      'estimateTokens',
      checkedEstimate(check.optionalFunction('estimateTokens', given.estimateTokens)),
    ),
    models,
    modelsOf,
    modelOptions: resolveModelOptions(given.modelOptions),
    overload: resolveOverload(given.overload),
    onRequest: check.optionalFunction('onRequest', given.onRequest),
    readsRequests,
    onResponse: check.optionalFunction('onResponse', given.onResponse),
    onEvent: check.optionalFunction('onEvent', given.onEvent),
    observers: resolveObservers(given.observers),
    onFinish: check.optionalFunction('onFinish', given.onFinish),
    hookErrors,
    silencedWarnings: resolveWarnings(or(given.warnings, defaults.warnings)),
    proxy: resolveProxy(given.proxy, origin),
  }
}

function resolveTarget(target: unknown): { origin: string; prefix: string } {
  const takes = 'the base URL of the provider, like "https://api.openai.com"'
  if (target === undefined) fail('target', target, takes)
  if (typeof target !== 'string' && !(target instanceof URL)) fail('target', target, takes)
  const text = String(target)
  const url = URL.canParse(text) ? new URL(text) : undefined
  // A password before an `@` or a key in a query must not show up in an error.
  const shown = /[@?#]/.test(text) ? hint('one that may hold a secret') : target
  if (!url) fail('target', shown, /^[\w.-]+(:\d+)?(\/|$)/.test(text) ? `${takes}, with its "https://"` : takes)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') fail('target', shown, `${takes} (http: or https:)`)
  if (url.username || url.password) fail('target', shown, `${takes}; credentials go into auth.headers`)
  if (url.search || url.hash) {
    fail(
      'target',
      `a URL with ${url.search ? 'a query' : 'a fragment'}`,
      `${takes}; query parameters go into auth.query`,
    )
  }
  return { origin: url.origin, prefix: url.pathname.replace(/\/+$/, '') }
}

/** The default, where an option is left out. `null` is not that: a null credential would let the client's own through. */
function or<T>(value: T | undefined, fallback: T): T {
  return value === undefined ? fallback : value
}

/** Headers by their lower-case names, so that one of ours takes the place of the client's. */
function lowerCased<T>(headers: Record<string, T>): [string, T][] {
  return Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
}

/** What is left of `Bearer ${process.env.KEY}` where there is no such variable. */
const UNSET = /^$|^(?:\S+ )?undefined$/

function checkHeader(option: string, name: string, value: string): void {
  if (isFramingHeader(name)) fail(option, hint('one by which HTTP frames messages'), 'a header that HTTP leaves to us')
  check.header(option, name, value)
}

/** An object that may hold secrets: an error tells the type of what stands in its place, and nothing of the value. */
function secretive<T extends object>(option: string, value: T): T {
  const kind = Array.isArray(value) ? 'an array' : typeof value
  return kind === 'object' ? check.record(option, value) : fail(option, hint(kind), 'an object')
}

function resolveAuth(auth: AuthOptions | undefined, hookErrors: HookErrors): Config['auth'] {
  const given = objectOf('auth', secretive('auth', or(auth, {})), ['headers', 'query'], allNames)
  const credentials = (name: 'headers' | 'query') =>
    (name === 'headers' ? lowerCased : Object.entries<Credential>)(secretive(`auth.${name}`, or(given[name], {}))).map(
      ([key, value]): [string, Credential] => {
        const option = `auth.${name}.${key}`
        const isUnset = typeof value === 'string' && UNSET.test(value)
        if (typeof value !== 'function' && (typeof value !== 'string' || isUnset)) {
          // The value may be half a secret: its type is all that an error tells.
          const got = value === '' ? 'an empty string' : isUnset ? 'a string that ends in "undefined"' : typeof value
          fail(
            option,
            hint(got),
            'a string that is not empty, or a function that returns one (is the environment variable set?)',
          )
        }
        if (name === 'headers') checkHeader(option, key, typeof value === 'string' ? value : '')
        return [
          key,
          typeof value === 'function'
            ? hookErrors.watched('auth', checkedCredential(option, value))
            : (value as string),
        ]
      },
    )
  return { headers: credentials('headers'), query: credentials('query') }
}

/** A list of names is no hook. */
function watchedFilter(
  option: AiProxyOptions['forwardHeaders'],
  hookErrors: HookErrors,
): AiProxyOptions['forwardHeaders'] {
  return typeof option === 'function' ? hookErrors.watched('forwardHeaders', option) : option
}

function resolveForwardCredentials(
  { forwardCredentials }: AiProxyOptions,
  auth: Config['auth'],
  headers: Config['headers'],
): boolean | undefined {
  if (forwardCredentials === undefined) return undefined
  const isOurs = auth.headers.length > 0 || auth.query.length > 0 || headers.some(([name]) => isCredentialHeader(name))
  if (check.boolean('forwardCredentials', forwardCredentials) && isOurs) {
    fail(
      'forwardCredentials',
      hint('true beside credentials of ours'),
      'true only if neither `auth` nor `headers` has any',
    )
  }
  return forwardCredentials
}

function resolveModelOptions(options: ModelOptions | undefined): ModelOptions | undefined {
  if (options === undefined) return undefined
  const given = objectOf('modelOptions', options, ['defaults', 'overrides'], allNames)
  for (const name of ['defaults', 'overrides'] as const) {
    if (given[name] !== undefined)
      refuseSlips(`modelOptions.${name}`, check.record(`modelOptions.${name}`, given[name]))
  }
  return given
}

/** How much of a name a slip may differ in: one letter of seven. In shorter names another letter makes another field. */
const MOST_OFF = 1 / 7

/** Providers' own fields may have any name; one that is nearly a known name is none of them, and would do nothing. */
function refuseSlips(option: string, fields: object): void {
  const known: readonly string[] = ['maxOutputTokens', ...modelFieldNames]
  for (const name of Object.keys(fields)) {
    if (known.includes(name)) continue
    const ofLimit = name.includes('_') ? undefined : nearest(name, ['maxOutputTokens'])
    const meant = ofLimit ?? nearest(name, known, MOST_OFF)
    if (meant) throw new TypeError(`aiProxy: ${option}.${name} is no field. Did you mean ${option}.${meant}?`)
  }
}

function resolveHeartbeat(heartbeat: AiProxyOptions['heartbeat']): Config['heartbeat'] {
  if (heartbeat === false) return { everyMs: Number.POSITIVE_INFINITY, beforeFirstByte: false }
  const { everyMs, beforeFirstByte } = orFalse('heartbeat', or(heartbeat, {}), ['everyMs', 'beforeFirstByte'])
  return {
    everyMs: check.number('heartbeat.everyMs', or(everyMs, defaults.heartbeat.everyMs), { above: 0 }),
    beforeFirstByte: check.boolean(
      'heartbeat.beforeFirstByte',
      or(beforeFirstByte, defaults.heartbeat.beforeFirstByte),
    ),
  }
}

/** An options object in whose place `false` is what turns it off: not `0`, `null` or `'off'`. */
function orFalse<T extends object>(option: string, given: T, known: readonly (keyof T & string)[]): T {
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given)
  return isObject ? objectOf(option, given, known, allNames) : fail(option, given, 'an object, or false')
}

function resolveOverload(overload: AiProxyOptions['overload']): Config['overload'] {
  if (or(overload, defaults.overload) === false) return undefined
  const { maxEventLoopDelayMs } = orFalse('overload', overload as Exclude<typeof overload, false | undefined>, [
    'maxEventLoopDelayMs',
  ])
  return { maxEventLoopDelayMs: check.number('overload.maxEventLoopDelayMs', maxEventLoopDelayMs, { above: 0 }) }
}

function resolveWarnings(warnings: NonNullable<AiProxyOptions['warnings']>): Config['silencedWarnings'] {
  if (typeof warnings === 'boolean') return new Set(warnings ? [] : setupWarningCodes)
  const isObject = typeof warnings === 'object' && warnings !== null && !Array.isArray(warnings)
  if (!isObject) fail('warnings', warnings, 'true, false, or an object like { AI_PROXY_TRUST_PROXY: false }')
  objectOf('warnings', warnings, setupWarningCodes)
  return new Set(setupWarningCodes.filter((code) => !check.boolean(`warnings.${code}`, or(warnings[code], true))))
}

function resolveObservers(observers: AiProxyOptions['observers']): readonly Observer[] {
  const given: unknown = or(observers, [])
  if (!Array.isArray(given)) fail('observers', given, 'a list of observers')
  for (const [at, observer] of given.entries()) check.record(`observers[${at}]`, observer)
  return given
}

function resolveProxy(proxy: ProxyOptions | undefined, origin: string): ProxyOptions {
  const given = objectOf('proxy', or(proxy, {}), proxyNames, allNames)
  for (const name of ['fromEnv', 'secure', 'xfwd', 'changeOrigin', 'fastPath'] as const) {
    if (given[name] !== undefined) check.boolean(`proxy.${name}`, given[name])
  }
  if (given.localAddress !== undefined) check.string('proxy.localAddress', given.localAddress)
  if (given.ssl !== undefined) {
    check.record('proxy.ssl', given.ssl)
    if (given.agent)
      fail(
        'proxy.ssl',
        hint('it beside proxy.agent'),
        'effect in the agent of the middleware; give an agent of your own its TLS options itself',
      )
  }
  if (given.fromEnv && given.agent) {
    fail('proxy.fromEnv', hint('it beside proxy.agent'), 'the place of an agent of your own: leave one of them out')
  }
  if (given.agent !== undefined && (typeof given.agent !== 'object' || given.agent === null)) {
    fail('proxy.agent', given.agent, 'an http.Agent or https.Agent')
  }
  // Agents made with agent-base answer it by the stack of the call: they do for both protocols.
  const protocol: unknown = given.agent && Object.getOwnPropertyDescriptor(given.agent, 'protocol')?.value
  if (typeof protocol === 'string' && !origin.startsWith(protocol)) {
    fail('proxy.agent', hint(`an agent for ${protocol}`), `an agent for the target's ${new URL(origin).protocol}`)
  }
  return given
}
