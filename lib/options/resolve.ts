import { IncomingMessage } from 'node:http'
import type { Observer } from '../api/observer.js'
import type { AiProxyOptions, HeartbeatOptions, ModelOptions } from '../api/options.js'
import { requestFields } from '../formats/index.js'
import { nearest } from '../util/nearest.js'
import { setupWarningCodes } from '../util/warn.js'
import { resolveCache } from './cache.js'
import type { Config, Provider, Target } from './config.js'
import { defaults } from './defaults.js'
import { compileEndpoints } from './endpoints.js'
import { checkedEstimate } from './estimate-tokens.js'
import { resolveFormat } from './format.js'
import { compileForwardHeaders, withoutPromises } from './forward-headers.js'
import { HookErrors } from './hook-errors.js'
import { compileIdentify } from './identify.js'
import { checkJsonValue } from './json-value.js'
import { compileLabels } from './labels.js'
import { compileLimits, limitOptionNames } from './limits.js'
import { compileModels } from './models.js'
import { resolvePolicies } from './policies.js'
import { compilePrices } from './prices.js'
import { holdsKnownCredentials, mayHoldCredentials } from './provider.js'
import { proxyNames } from './proxy.js'
import { resolveResume } from './resume.js'
import { resolveRouting, routingNames } from './routing.js'
import { resolveProviders, targetNames } from './targets.js'
import { unpricedModels } from './unpriced-models.js'
import { check, hint, invalidOption, objectOf, objectOrFalse, orDefault } from './validate.js'

const optionNames = [
  'target',
  'targets',
  'auth',
  'headers',
  'forwardHeaders',
  'forwardCredentials',
  'endpoints',
  'limits',
  'turns',
  'heartbeat',
  'onClientDisconnect',
  'resume',
  'cache',
  'joinIdentical',
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
  'identify',
  'policies',
  'prices',
  'unknownPrice',
  'observers',
  'onFinish',
  'onError',
  'warnings',
  'proxy',
  ...routingNames,
] as const
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
  // Short names (`who`, `key`, `on`) would be close to too much.
  ...(['resume.windowMs', 'resume.graceMs', 'cache.ttlMs', 'cache.scope', 'cache.toolCalls', 'hedge.afterMs'] as const),
  ...(['attempts', 'backoffMs', 'maxWaitMs', 'withinMs', 'preamble'] as const).map((name) => `retry.${name}`),
  ...limitOptionNames.map((name) => `limits.${name}`),
  ...proxyNames.map((name) => `proxy.${name}`),
  ...targetNames.map((name) => `targets[…].${name}`),
]

/**
 * Validates the options and fills in the defaults.
 *
 * @throws TypeError that names the option, what it got, what it takes, and the likely intended spelling
 */
export function resolveOptions(options: AiProxyOptions): Config {
  if ((options as unknown) instanceof IncomingMessage) {
    throw new TypeError(
      "aiProxy: it takes its options, and got a request: app.use('/ai', aiProxy({ target: 'https://…' }))",
    )
  }
  const given = objectOf('', options, optionNames, allNames)
  const hookErrors = new HookErrors(check.optionalFunction('onError', given.onError))
  const providers = resolveProviders(given, hookErrors, allNames)
  const forwardCredentials = resolveForwardCredentials(given.forwardCredentials, providers)
  const holdsCredentials = forwardCredentials === undefined ? providers.some(mayHoldCredentials) : !forwardCredentials
  const { models, modelsOf } = compileModels(given.models, hookErrors)
  const selectsByModel = given.targets?.some((target) => target.models !== undefined) === true
  const identify = compileIdentify(given.identify, hookErrors)
  const policies = resolvePolicies(given.policies)
  const resume = resolveResume(given.resume, identify !== undefined, hookErrors)
  const editsRequests =
    selectsByModel || [models, modelsOf, given.modelOptions, given.onRequest].some((option) => option !== undefined)
  const cache = resolveCache(given.cache, given.joinIdentical, hookErrors)
  const readsRequests = editsRequests || identify !== undefined || policies.length > 0 || cache !== undefined
  const { limits, forRequest: limitsFor } = compileLimits(given.limits, hookErrors, allNames)
  const turns = objectOf('turns', orDefault(given.turns, {}), ['budgetMs'], allNames)
  const format = resolveFormat(given.format, hookErrors)
  const shared = {
    holdsCredentials,
    forwardCredentials: forwardCredentials === true,
    forwards: compileForwardHeaders(
      watchedFilter(given.forwardHeaders, hookErrors),
      holdsCredentials,
      format?.requestHeaders,
    ),
    limits,
    limitsFor,
    budgetMs: turns.budgetMs === undefined ? undefined : check.number('turns.budgetMs', turns.budgetMs, { above: 0 }),
    heartbeat: resolveHeartbeat(given.heartbeat),
    onClientDisconnect: resolveDisconnect(given.onClientDisconnect, resume !== undefined),
    resume,
    cache,
    errors: resolveErrors(given.errors),
    format,
    includeUsage: check.boolean('includeUsage', orDefault(given.includeUsage, defaults.includeUsage)),
    estimateTokens: hookErrors.reporting(
      'estimateTokens',
      checkedEstimate(check.optionalFunction('estimateTokens', given.estimateTokens)),
      (_, exchange) => exchange,
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
    identify,
    policies,
    costOf: compilePrices(given.prices, given.unknownPrice, hookErrors),
    observers: resolveObservers(given.observers),
    onFinish: check.optionalFunction('onFinish', given.onFinish),
    hookErrors,
    silencedWarnings: resolveWarnings(orDefault(given.warnings, defaults.warnings)),
  }
  const targets = providers.map((provider): Target => {
    const { name, origin, prefix, auth, headers, proxy, ...rest } = provider
    const endpoints = compileEndpoints(given.endpoints, prefix, editsRequests, format?.endpoints)
    const config = {
      ...shared,
      name,
      origin,
      prefix,
      auth,
      headers,
      proxy,
      endpoints,
      routing: undefined,
      unpriced: [],
    }
    return { name, config, ...rest }
  })
  const unpriced = unpricedModels(given.models, targets, shared.costOf)
  return { ...targets[0]!.config, unpriced, routing: resolveRouting(given, targets, hookErrors, allNames) }
}

function resolveDisconnect(
  given: AiProxyOptions['onClientDisconnect'],
  resumes: boolean,
): Config['onClientDisconnect'] {
  if (given === 'keep' && !resumes) {
    invalidOption('onClientDisconnect', given, "'keep' only with the option `resume`; 'abort' or 'drain' without it")
  }
  const fallback = resumes ? 'keep' : defaults.onClientDisconnect
  return check.oneOf<Config['onClientDisconnect']>('onClientDisconnect', orDefault(given, fallback), [
    'abort',
    'drain',
    'keep',
  ])
}

/** Only a function can fail and be reported; a list of names cannot. */
function watchedFilter(
  option: AiProxyOptions['forwardHeaders'],
  hookErrors: HookErrors,
): AiProxyOptions['forwardHeaders'] {
  return typeof option === 'function'
    ? hookErrors.reporting('forwardHeaders', withoutPromises(option), (_, exchange) => exchange)
    : option
}

function resolveForwardCredentials(
  forwardCredentials: AiProxyOptions['forwardCredentials'],
  providers: readonly Pick<Provider, 'auth' | 'headers'>[],
): boolean | undefined {
  if (forwardCredentials === undefined) return undefined
  if (check.boolean('forwardCredentials', forwardCredentials) && providers.some(holdsKnownCredentials)) {
    invalidOption(
      'forwardCredentials',
      hint('true with such credentials'),
      'true only if neither `auth` nor `headers` holds credentials',
    )
  }
  return forwardCredentials
}

/** What a field directly in `modelOptions` was most likely meant to be. */
const overrideNames = ['maxOutputTokens', ...requestFields].map((name) => `modelOptions.overrides.${name}`)

function resolveModelOptions(options: ModelOptions | undefined): ModelOptions | undefined {
  if (options === undefined) return undefined
  const given = objectOf('modelOptions', options, ['defaults', 'overrides'], [...overrideNames, ...allNames])
  for (const name of ['defaults', 'overrides'] as const) {
    if (given[name] === undefined) continue
    const fields = check.record(`modelOptions.${name}`, given[name])
    rejectTypos(`modelOptions.${name}`, fields)
    checkOutputLimit(`modelOptions.${name}.maxOutputTokens`, (fields as { maxOutputTokens?: unknown }).maxOutputTokens)
    checkJsonValue(`modelOptions.${name}`, fields)
  }
  return given
}

function checkOutputLimit(option: string, limit: unknown): void {
  if (limit === undefined || (Number.isSafeInteger(limit) && (limit as number) >= 1)) return
  invalidOption(option, limit, 'a whole number of at least 1')
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
  const known: readonly string[] = ['maxOutputTokens', ...requestFields]
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
  const names = ['everyMs', 'beforeFirstByte'] as const
  const given = objectOrFalse<HeartbeatOptions>('heartbeat', orDefault(heartbeat, {}), names, allNames)
  if (given === false) return { everyMs: Number.POSITIVE_INFINITY, beforeFirstByte: false }
  const { everyMs, beforeFirstByte } = given
  return {
    everyMs: check.number('heartbeat.everyMs', orDefault(everyMs, defaults.heartbeat.everyMs), { above: 0 }),
    beforeFirstByte: check.boolean(
      'heartbeat.beforeFirstByte',
      orDefault(beforeFirstByte, defaults.heartbeat.beforeFirstByte),
    ),
  }
}

function resolveOverload(overload: AiProxyOptions['overload']): Config['overload'] {
  const names = ['maxEventLoopDelayMs'] as const
  const given = objectOrFalse('overload', orDefault(overload, defaults.overload), names, allNames)
  if (given === false) return undefined
  const { maxEventLoopDelayMs } = given
  return { maxEventLoopDelayMs: check.number('overload.maxEventLoopDelayMs', maxEventLoopDelayMs, { above: 0 }) }
}

function resolveWarnings(warnings: NonNullable<AiProxyOptions['warnings']>): Config['silencedWarnings'] {
  if (typeof warnings === 'boolean') return new Set(warnings ? [] : setupWarningCodes)
  const takes = 'true, false, or an object like { AI_PROXY_TRUST_PROXY: false }'
  objectOf('warnings', warnings, setupWarningCodes, [], takes)
  return new Set(
    setupWarningCodes.filter((code) => !check.boolean(`warnings.${code}`, orDefault(warnings[code], true))),
  )
}

function resolveObservers(observers: AiProxyOptions['observers']): readonly Observer[] {
  const given: unknown = orDefault(observers, [])
  if (!Array.isArray(given)) invalidOption('observers', given, 'a list of observers')
  for (const [at, observer] of given.entries()) {
    const option = `observers[${at}]`
    const { onProxy, onRequest, onAttempt, onTurn, onFinish }: Observer = check.record(option, observer)
    const methods = { onProxy, onRequest, onAttempt, onTurn, onFinish }
    for (const [name, method] of Object.entries(methods)) check.optionalFunction(`${option}.${name}`, method)
    if (Object.values(methods).every((method) => method === undefined)) {
      invalidOption(option, observer, `an observer, which has at least one of ${Object.keys(methods).join(', ')}`)
    }
  }
  return given
}
