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
import { compileLabels } from './labels.js'
import { compileLimits, limitOptionNames } from './limits.js'
import { compileModels } from './models.js'
import { check, hint, invalidOption, nearest, objectOf } from './validate.js'

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
  'onAnswer',
  'onEvent',
  'labels',
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
 * Validates the options and fills in the defaults.
 *
 * @throws TypeError that names the option, what it got, what it takes, and the likely intended spelling
 */
export function resolveOptions(options: AiProxyOptions): Config {
  const given = objectOf('', options, optionNames, allNames)
  const { origin, prefix } = resolveTarget(given.target)
  const hookErrors = new HookErrors(check.optionalFunction('onError', given.onError))
  const auth = resolveAuth(given.auth, hookErrors)
  const headers = lowerCased(secretRecord('headers', orDefault(given.headers, {})))
  for (const [name, value] of headers) {
    if (typeof value !== 'string') invalidOption(`headers.${name}`, hint(typeof value), 'a string')
    checkHeader(`headers.${name}`, name, value)
  }
  const forwardCredentials = resolveForwardCredentials(given, auth, headers)
  const mayHold = auth.headers.length > 0 || auth.query.length > 0 || headers.some(([name]) => !isHarmlessHeader(name))
  const holdsCredentials = forwardCredentials === undefined ? mayHold : !forwardCredentials
  const { models, modelsOf } = compileModels(given.models, hookErrors)
  const readsRequests = [models, modelsOf, given.modelOptions, given.onRequest].some((option) => option !== undefined)
  const { limits, forRequest: limitsFor } = compileLimits(given.limits, hookErrors, allNames)
  const turns = objectOf('turns', orDefault(given.turns, {}), ['budgetMs'], allNames)
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
    onClientDisconnect: check.oneOf(
      'onClientDisconnect',
      orDefault(given.onClientDisconnect, defaults.onClientDisconnect),
      ['abort', 'drain'],
    ),
    errors: resolveErrors(given.errors),
    format,
    includeUsage: check.boolean('includeUsage', orDefault(given.includeUsage, defaults.includeUsage)),
    estimateTokens: hookErrors.reporting(
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
    onAnswer: check.optionalFunction('onAnswer', given.onAnswer),
    onEvent: check.optionalFunction('onEvent', given.onEvent),
    labelsOf: compileLabels(check.optionalFunction('labels', given.labels), hookErrors),
    observers: resolveObservers(given.observers),
    onFinish: check.optionalFunction('onFinish', given.onFinish),
    hookErrors,
    silencedWarnings: resolveWarnings(orDefault(given.warnings, defaults.warnings)),
    proxy: resolveProxy(given.proxy, origin),
  }
}

function resolveTarget(target: unknown): { origin: string; prefix: string } {
  const takes = 'the base URL of the provider, like "https://api.openai.com"'
  if (target === undefined) invalidOption('target', target, takes)
  if (typeof target !== 'string' && !(target instanceof URL)) invalidOption('target', target, takes)
  const text = String(target)
  const url = URL.canParse(text) ? new URL(text) : undefined
  // The message must not show a password before an `@`, or a key in a query.
  const shown = /[@?#]/.test(text) ? hint('one that may hold a secret') : target
  if (!url) invalidOption('target', shown, /^[\w.-]+(:\d+)?(\/|$)/.test(text) ? `${takes}, with its "https://"` : takes)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    invalidOption('target', shown, `${takes} (http: or https:)`)
  if (url.username || url.password) invalidOption('target', shown, `${takes}; credentials go into auth.headers`)
  if (url.search || url.hash) {
    invalidOption(
      'target',
      `a URL with ${url.search ? 'a query' : 'a fragment'}`,
      `${takes}; query parameters go into auth.query`,
    )
  }
  return { origin: url.origin, prefix: url.pathname.replace(/\/+$/, '') }
}

/**
 * Returns the default if an option is left out. `null` does not count as left out: a null credential would let the
 * client's own through.
 */
function orDefault<T>(value: T | undefined, fallback: T): T {
  return value === undefined ? fallback : value
}

/** Returns headers by their lower-case names, so that one that the app sets replaces the client's. */
function lowerCased<T>(headers: Record<string, T>): [string, T][] {
  return Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
}

/** Results of `Bearer ${process.env.KEY}` if there is no such variable. */
const UNSET = /^$|^(?:\S+ )?undefined$/

function checkHeader(option: string, name: string, value: string): void {
  if (isFramingHeader(name)) invalidOption(option, hint('one that does'), 'a header that does not frame HTTP messages')
  check.header(option, name, value)
}

/** Validates an object that may hold secrets: an error shows the type of a wrong value, never the value. */
function secretRecord<T extends object>(option: string, value: T): T {
  const kind = Array.isArray(value) ? 'an array' : typeof value
  return kind === 'object' ? check.record(option, value) : invalidOption(option, hint(kind), 'an object')
}

function resolveAuth(auth: AuthOptions | undefined, hookErrors: HookErrors): Config['auth'] {
  const given = objectOf('auth', secretRecord('auth', orDefault(auth, {})), ['headers', 'query'], allNames)
  const credentials = (name: 'headers' | 'query') =>
    (name === 'headers' ? lowerCased : Object.entries<Credential>)(
      secretRecord(`auth.${name}`, orDefault(given[name], {})),
    ).map(([key, value]): [string, Credential] => {
      const option = `auth.${name}.${key}`
      const isUnset = typeof value === 'string' && UNSET.test(value)
      if (typeof value !== 'function' && (typeof value !== 'string' || isUnset)) {
        // The value may be part of a secret: the error shows only its type.
        const got = value === '' ? 'an empty string' : isUnset ? 'a string that ends in "undefined"' : typeof value
        invalidOption(
          option,
          hint(got),
          'a string that is not empty, or a function that returns one (is the environment variable set?)',
        )
      }
      if (name === 'headers') checkHeader(option, key, typeof value === 'string' ? value : '')
      return [
        key,
        typeof value === 'function'
          ? hookErrors.reporting('auth', checkedCredential(option, value))
          : (value as string),
      ]
    })
  return { headers: credentials('headers'), query: credentials('query') }
}

/** Only a function can fail and be reported; a list of names cannot. */
function watchedFilter(
  option: AiProxyOptions['forwardHeaders'],
  hookErrors: HookErrors,
): AiProxyOptions['forwardHeaders'] {
  return typeof option === 'function' ? hookErrors.reporting('forwardHeaders', option) : option
}

function resolveForwardCredentials(
  { forwardCredentials }: AiProxyOptions,
  auth: Config['auth'],
  headers: Config['headers'],
): boolean | undefined {
  if (forwardCredentials === undefined) return undefined
  const isOurs = auth.headers.length > 0 || auth.query.length > 0 || headers.some(([name]) => isCredentialHeader(name))
  if (check.boolean('forwardCredentials', forwardCredentials) && isOurs) {
    invalidOption(
      'forwardCredentials',
      hint('true with such credentials'),
      'true only if neither `auth` nor `headers` holds credentials',
    )
  }
  return forwardCredentials
}

function resolveModelOptions(options: ModelOptions | undefined): ModelOptions | undefined {
  if (options === undefined) return undefined
  const given = objectOf('modelOptions', options, ['defaults', 'overrides'], allNames)
  for (const name of ['defaults', 'overrides'] as const) {
    if (given[name] !== undefined)
      rejectTypos(`modelOptions.${name}`, check.record(`modelOptions.${name}`, given[name]))
  }
  return given
}

/**
 * Maximum part of a name in which a typo may differ: one letter in seven. In shorter names, another letter makes
 * another field.
 */
const MAX_TYPO_DISTANCE = 1 / 7

/**
 * Rejects likely typos. Providers' own fields may have any name, but one that is nearly a known name would have no
 * effect.
 */
function rejectTypos(option: string, fields: object): void {
  const known: readonly string[] = ['maxOutputTokens', ...modelFieldNames]
  for (const name of Object.keys(fields)) {
    if (known.includes(name)) continue
    const ofLimit = name.includes('_') ? undefined : nearest(name, ['maxOutputTokens'])
    const meant = ofLimit ?? nearest(name, known, MAX_TYPO_DISTANCE)
    if (meant) throw new TypeError(`aiProxy: ${option}.${name} is not a known field. Did you mean ${option}.${meant}?`)
  }
}

function resolveErrors(errors: AiProxyOptions['errors']): Config['errors'] {
  if (typeof errors === 'function') return errors
  const given = orDefault(errors, defaults.errors)
  return check.oneOf<'respond' | 'next'>('errors', given, ['respond', 'next'], 'a function')
}

function resolveHeartbeat(heartbeat: AiProxyOptions['heartbeat']): Config['heartbeat'] {
  if (heartbeat === false) return { everyMs: Number.POSITIVE_INFINITY, beforeFirstByte: false }
  const { everyMs, beforeFirstByte } = recordOrFalse('heartbeat', orDefault(heartbeat, {}), [
    'everyMs',
    'beforeFirstByte',
  ])
  return {
    everyMs: check.number('heartbeat.everyMs', orDefault(everyMs, defaults.heartbeat.everyMs), { above: 0 }),
    beforeFirstByte: check.boolean(
      'heartbeat.beforeFirstByte',
      orDefault(beforeFirstByte, defaults.heartbeat.beforeFirstByte),
    ),
  }
}

/** Validates an options object that only `false` turns off: not `0`, `null` or `'off'`. */
function recordOrFalse<T extends object>(option: string, given: T, known: readonly (keyof T & string)[]): T {
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given)
  return isObject ? objectOf(option, given, known, allNames) : invalidOption(option, given, 'an object, or false')
}

function resolveOverload(overload: AiProxyOptions['overload']): Config['overload'] {
  if (orDefault(overload, defaults.overload) === false) return undefined
  const { maxEventLoopDelayMs } = recordOrFalse('overload', overload as Exclude<typeof overload, false | undefined>, [
    'maxEventLoopDelayMs',
  ])
  return { maxEventLoopDelayMs: check.number('overload.maxEventLoopDelayMs', maxEventLoopDelayMs, { above: 0 }) }
}

function resolveWarnings(warnings: NonNullable<AiProxyOptions['warnings']>): Config['silencedWarnings'] {
  if (typeof warnings === 'boolean') return new Set(warnings ? [] : setupWarningCodes)
  const isObject = typeof warnings === 'object' && warnings !== null && !Array.isArray(warnings)
  if (!isObject) invalidOption('warnings', warnings, 'true, false, or an object like { AI_PROXY_TRUST_PROXY: false }')
  objectOf('warnings', warnings, setupWarningCodes)
  return new Set(
    setupWarningCodes.filter((code) => !check.boolean(`warnings.${code}`, orDefault(warnings[code], true))),
  )
}

function resolveObservers(observers: AiProxyOptions['observers']): readonly Observer[] {
  const given: unknown = orDefault(observers, [])
  if (!Array.isArray(given)) invalidOption('observers', given, 'a list of observers')
  for (const [at, observer] of given.entries()) check.record(`observers[${at}]`, observer)
  return given
}

function resolveProxy(proxy: ProxyOptions | undefined, origin: string): ProxyOptions {
  const given = objectOf('proxy', orDefault(proxy, {}), proxyNames, allNames)
  for (const name of ['fromEnv', 'secure', 'xfwd', 'changeOrigin', 'fastPath'] as const) {
    if (given[name] !== undefined) check.boolean(`proxy.${name}`, given[name])
  }
  if (given.localAddress !== undefined) check.string('proxy.localAddress', given.localAddress)
  if (given.ssl !== undefined) {
    check.record('proxy.ssl', given.ssl)
    if (given.agent)
      invalidOption(
        'proxy.ssl',
        hint('both'),
        'TLS options for the default agent only: set those of proxy.agent on that agent',
      )
  }
  if (given.fromEnv && given.agent) {
    invalidOption('proxy.fromEnv', hint('both'), 'true only without proxy.agent: leave one of them out')
  }
  if (given.agent !== undefined && (typeof given.agent !== 'object' || given.agent === null)) {
    invalidOption('proxy.agent', given.agent, 'an http.Agent or https.Agent')
  }
  // Do not read `protocol` through its getter: that of agents made with agent-base depends on the call stack, because
  // they support both protocols.
  const protocol: unknown = given.agent && Object.getOwnPropertyDescriptor(given.agent, 'protocol')?.value
  if (typeof protocol === 'string' && !origin.startsWith(protocol)) {
    invalidOption(
      'proxy.agent',
      hint(`an agent for ${protocol}`),
      `an agent for the target's ${new URL(origin).protocol}`,
    )
  }
  return given
}
