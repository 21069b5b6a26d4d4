import type { HookedExchange } from '../api/hooks.js'
import type { AiProxyOptions } from '../api/options.js'
import { ignoreRejectionsIn } from '../util/promises.js'
import { type HookErrors, HookFault } from './hook-errors.js'
import { invalidOption } from './validate.js'

/** No model has a longer name. */
export const MAX_MODEL_LENGTH = 256

/** Returns whether a request may use a model. */
export type ModelFilter = (model: string) => boolean

/** Returns the models that one request may use; `undefined` if it may use all. Reports what the app's code throws. */
export type ModelsOf = (exchange: HookedExchange) => Promise<ModelFilter | undefined>

/**
 * Compiles the `models` option.
 *
 * @throws TypeError if it is neither a list of names and RegExps, nor `'all'`, nor a function
 */
export function compileModels(
  option: AiProxyOptions['models'],
  hookErrors: HookErrors,
): { models: ModelFilter | undefined; modelsOf: ModelsOf | undefined } {
  if (typeof option !== 'function') return { models: compileModelRules(option), modelsOf: undefined }
  const modelsOf = async ({ req }: HookedExchange) => checkedRules(await option(req))
  return { models: undefined, modelsOf: hookErrors.reporting('models', modelsOf, (exchange) => exchange) }
}

/**
 * Compiles a list of models.
 *
 * @returns `undefined` if all are allowed
 * @throws TypeError if it is not a list of names and RegExps
 */
export function compileModelRules(option: unknown): ModelFilter | undefined {
  if (option === undefined || option === 'all') return undefined
  if (!Array.isArray(option)) invalidOption('models', option, "a list of model names and RegExps, 'all', or a function")
  const names = new Set<string>()
  const patterns: RegExp[] = []
  option.forEach((rule: unknown, at) => {
    if (typeof rule === 'string' && rule !== '') names.add(withoutWildcard(`models[${at}]`, rule))
    // The flags `g` and `y` make a RegExp keep state between calls.
    else if (rule instanceof RegExp) patterns.push(new RegExp(rule.source, rule.flags.replace(/[gy]/g, '')))
    else invalidOption(`models[${at}]`, rule, "a model's name, or a RegExp")
  })
  return (model) => names.has(model) || patterns.some((pattern) => pattern.test(model))
}

/**
 * Returns a name of a model. Names are compared letter for letter, and none has a `*`: whoever writes one means a pattern.
 *
 * @throws TypeError if the name has a `*`
 */
export function withoutWildcard(option: string, name: string): string {
  if (!name.includes('*')) return name
  invalidOption(option, name, "a model's whole name, without `*`; for a pattern, a RegExp like /^name-/")
}

/**
 * Compiles what a function returned.
 *
 * @throws HookFault if it is not a list: above all, returning nothing must not allow every model
 */
function checkedRules(returned: unknown): ModelFilter | undefined {
  try {
    return compileModelRules(returned ?? null)
  } catch (error) {
    ignoreRejectionsIn(returned)
    throw new HookFault(`The function in \`models\` returned an invalid value: ${(error as Error).message}`)
  }
}
