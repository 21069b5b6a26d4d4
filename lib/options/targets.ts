import type { AiProxyOptions } from '../api/options.js'
import type { TargetOptions } from '../api/targets.js'
import { formatNames } from '../formats/index.js'
import type { Provider, Target } from './config.js'
import { isHarmlessHeader } from './forward-headers.js'
import type { HookErrors } from './hook-errors.js'
import { resolveHeaders, resolveProvider } from './provider.js'
import { resolveProxy } from './proxy.js'
import { compileTargetModels } from './target-models.js'
import { check, hint, invalidOption, objectOf, orDefault } from './validate.js'

/** Names of the members of a target. */
export const targetNames = [
  ...(['name', 'target', 'auth', 'headers', 'proxy'] as const),
  ...(['formats', 'models', 'weight', 'priority', 'maxConcurrent'] as const),
]

/** A target without what it shares with the others. */
type OwnOptions = Omit<Provider, 'endpoints'> & Omit<Target, 'config'>

/**
 * Resolves `target`, or the list `targets`.
 *
 * @param elsewhere dotted names of all options, for the hint in an error
 */
export function resolveProviders(
  options: AiProxyOptions,
  hookErrors: HookErrors,
  elsewhere: readonly string[],
): readonly OwnOptions[] {
  const { target, targets } = options
  if (targets === undefined) return [single(options, hookErrors, elsewhere)]
  if (target !== undefined)
    invalidOption('targets', hint('`target` as well'), 'the place of `target`: set one of the two')
  if (!Array.isArray(targets) || targets.length === 0) {
    invalidOption('targets', targets, 'a list of targets that is not empty: [{ name, target, … }]')
  }
  rejectSharedCredentials(options)
  rejectInvalidShared(options, elsewhere)
  const resolved = targets.map((each, at) => resolveTarget(`targets[${at}]`, each, options, hookErrors, elsewhere))
  for (const [at, { name }] of resolved.entries()) {
    const first = resolved.findIndex((other) => other.name === name)
    if (first !== at) invalidOption(`targets[${at}].name`, name, `a name of its own; targets[${first}] has this one`)
  }
  return resolved
}

/** The one target of the short form is named for its host. */
function single(options: AiProxyOptions, hookErrors: HookErrors, elsewhere: readonly string[]): OwnOptions {
  const provider = resolveProvider((name) => name, options, hookErrors, elsewhere)
  const models = compileTargetModels(undefined, 'models')
  const name = new URL(provider.origin).host
  return {
    ...provider,
    name,
    formats: undefined,
    models,
    weight: 1,
    priority: 0,
    maxConcurrent: Number.POSITIVE_INFINITY,
  }
}

/** A credential of one provider must not go to the others. */
function rejectSharedCredentials({ auth, headers }: AiProxyOptions): void {
  if (auth !== undefined) {
    invalidOption(
      'auth',
      hint('credentials for all of them'),
      'no value together with `targets`: set `auth` in each target',
    )
  }
  if (typeof headers !== 'object' || headers === null) return
  const shared = Object.keys(headers).find((name) => !isHarmlessHeader(name))
  if (shared === undefined) return
  const takes =
    'no header that may hold a credential together with `targets`: set it in the `headers` of the targets that need it'
  invalidOption(`headers.${shared}`, hint('one for all of them'), takes)
}

/** What targets inherit is wrong where it is written, whether a target inherits it or not. */
function rejectInvalidShared({ headers, proxy }: AiProxyOptions, elsewhere: readonly string[]): void {
  resolveHeaders('headers', headers)
  resolveProxy('proxy', proxy, undefined, elsewhere)
}

function resolveTarget(
  option: string,
  given: TargetOptions,
  shared: AiProxyOptions,
  hookErrors: HookErrors,
  elsewhere: readonly string[],
): OwnOptions {
  const own = objectOf(option, given, targetNames, elsewhere)
  const provider = resolveProvider(
    (name) => `${option}.${name}`,
    { ...own, headers: orDefault(own.headers, shared.headers), proxy: orDefault(own.proxy, shared.proxy) },
    hookErrors,
    elsewhere,
  )
  const { name, weight, priority, maxConcurrent } = own
  if (typeof name !== 'string' || !NAME.test(name)) {
    invalidOption(
      `${option}.name`,
      name,
      'a name of 1 to 64 letters, digits, ".", "_", ":" and "-", which is shown in records',
    )
  }
  const most = check.countOrFalse(`${option}.maxConcurrent`, orDefault(maxConcurrent, false))
  return {
    ...provider,
    name,
    formats: resolveFormats(`${option}.formats`, own.formats),
    models: compileTargetModels(own.models, `${option}.models`),
    weight: check.number(`${option}.weight`, orDefault(weight, 1), { above: 0 }),
    priority: check.number(`${option}.priority`, orDefault(priority, 0), {}),
    maxConcurrent: most === false ? Number.POSITIVE_INFINITY : most,
  }
}

const NAME = /^[\w.:-]{1,64}$/

function resolveFormats(option: string, formats: TargetOptions['formats']): ReadonlySet<string> | undefined {
  if (formats === undefined) return undefined
  if (!Array.isArray(formats) || formats.length === 0) {
    const some = formatNames.slice(0, 2).map((name) => `'${name}'`)
    invalidOption(option, formats, `a list of formats that is not empty, like [${some.join(', ')}]`)
  }
  for (const [at, name] of formats.entries()) {
    const isOwn = typeof name === 'string' && /^x-./.test(name)
    if (!isOwn) check.oneOf(`${option}[${at}]`, name, formatNames, "a name that begins with 'x-'")
  }
  return new Set(formats)
}
